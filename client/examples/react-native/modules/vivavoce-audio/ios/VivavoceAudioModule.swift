import AVFoundation
import ExpoModulesCore

/// `NativeMicOptions` of `vivavoce/react-native`. Behind other apps the background mode `audio` keeps it open.
struct MicOptions: Record {
  @Field var frameMs: Int = 20
  @Field var echoCancellation: Bool = true
  @Field var noiseSuppression: Bool = true
  @Field var autoGainControl: Bool = true
  @Field var deviceId: String = ""
  @Field var inBackground: Bool = false

  var wishes: Wishes {
    Wishes(
      frameMs: frameMs, voiceProcessing: echoCancellation || noiseSuppression, autoGainControl: autoGainControl)
  }
}

/// `NativeVoice` of `vivavoce/react-native` on iOS.
public final class VivavoceAudioModule: Module {
  private let work = DispatchQueue(label: "vivavoce-audio") // all of the engine's and the session's calls
  private var isPrepared = false
  private var isOurs = true
  private lazy var engine = Engine(
    events: self,
    onFrame: { [weak self] pcm in self?.sendEvent("onFrame", ["pcm": pcm]) },
    onLost: { [weak self] message in self?.sendEvent("onLost", ["message": message]) })
  private lazy var session = Session(
    onFocus: { [weak self] isOurs in self?.work.async { self?.focused(isOurs) } },
    onRoute: { [weak self] in self?.work.async { self?.routed() } },
    onReset: { [weak self] in self?.work.async { self?.reset() } })

  public func definition() -> ModuleDefinition {
    Name("VivavoceAudio")
    Events("onFrame", "onPlayed", "onUnderrun", "onLevel", "onRoute", "onFocus", "onLost")

    AsyncFunction("prepare") { try self.prepare() }.runOnQueue(work)
    AsyncFunction("release") { self.release() }.runOnQueue(work)
    AsyncFunction("start") { (options: MicOptions, promise: Promise) in self.ask(options, promise) }.runOnQueue(work)
    AsyncFunction("stop") { self.engine.stopListening() }.runOnQueue(work)
    Function("play") { (turn: Int, pcm: Data) in self.engine.play(turn, pcm) }
    Function("finish") { (turn: Int) in self.engine.finish(turn) }
    AsyncFunction("flush") { (turn: Int) -> [String: Double] in
      let flushed = self.engine.flush(turn)
      return ["playedMs": flushed.playedMs, "droppedMs": flushed.droppedMs]
    }
    Function("setVolume") { (volume: Double) in self.work.async { self.engine.setVolume(Float(volume)) } }
    AsyncFunction("routes") { self.session.snapshot() }.runOnQueue(work)
    AsyncFunction("setOutput") { (id: String?) in
      guard try self.session.choose(id) else { throw Exception(name: "Output", description: "no output", code: "not_found") }
    }.runOnQueue(work)
    OnDestroy { self.work.sync { self.release() } }
  }

  private func prepare() throws {
    if isPrepared { return }
    do {
      try session.open()
      try engine.open()
    } catch {
      session.close()
      throw Exception(name: "Audio", description: error.localizedDescription, code: "in_use")
    }
    isPrepared = true
    isOurs = true
  }

  private func release() {
    guard isPrepared else { return }
    isPrepared = false
    engine.close()
    session.close()
  }

  private func ask(_ options: MicOptions, _ promise: Promise) {
    AVAudioSession.sharedInstance().requestRecordPermission { isGranted in
      guard isGranted else { return promise.reject("denied", "the user said no") }
      self.work.async { self.start(options, promise) }
    }
  }

  private func start(_ options: MicOptions, _ promise: Promise) {
    guard isOurs else { return promise.reject("in_use", "another app has the audio") }
    do {
      guard try session.chooseInput(options.deviceId) else {
        return promise.reject("not_found", "no input \(options.deviceId)")
      }
      try engine.start(options.wishes)
      promise.resolve(session.snapshot())
    } catch {
      promise.reject("in_use", error.localizedDescription)
    }
  }

  /// The microphone is opened again by the app, once it hears of it.
  private func focused(_ isOurs: Bool) {
    guard isPrepared, self.isOurs != isOurs else { return }
    self.isOurs = isOurs
    engine.hold(!isOurs)
    sendEvent("onFocus", ["isOurs": isOurs])
  }

  private func routed() {
    if isPrepared { sendEvent("onRoute", session.snapshot()) }
  }

  private func reset() {
    guard isPrepared, isOurs else { return }
    engine.mend()
    routed()
  }
}

/// The rendering thread says these; it must not wait, so another tells JavaScript.
extension VivavoceAudioModule: PlayerEvents {
  func played(turn: Int, state: PlayedState, playedMs: Double, bufferedMs: Double) {
    tell("onPlayed", ["turn": turn, "state": state.rawValue, "playedMs": playedMs, "bufferedMs": bufferedMs])
  }

  func underrun(turn: Int, prebufferMs: Double) {
    tell("onUnderrun", ["turn": turn, "prebufferMs": prebufferMs])
  }

  func level(output: Double) {
    tell("onLevel", ["output": output])
  }

  private func tell(_ event: String, _ body: [String: Any]) {
    work.async { self.sendEvent(event, body) }
  }
}
