import AVFoundation

/// How the microphone is to be opened. iOS's voice processing has echo and noise cancelled together.
struct Wishes {
  var frameMs = 20
  var voiceProcessing = true
  var autoGainControl = true
}

/// One AVAudioEngine: the agent's voice out of the jitter buffer, and the microphone in frames of s16le at 16 kHz.
///
/// Every call comes on one queue. Rendering and capturing are threads of the system's.
final class Engine {
  private static let heardHz = 16_000.0
  private let queue: TurnQueue
  private let lock = NSLock() // around the queue: render takes it for a copy of some hundred samples
  private let onFrame: (Data) -> Void
  private let onLost: (String) -> Void
  private var engine = AVAudioEngine()
  private var source: AVAudioSourceNode?
  private var wishes: Wishes? // while the microphone is open
  private var pending = Data() // heard, less than a frame
  private var isHeld = false

  init(events: PlayerEvents, onFrame: @escaping (Data) -> Void, onLost: @escaping (String) -> Void) {
    queue = TurnQueue(events: events)
    self.onFrame = onFrame
    self.onLost = onLost
  }

  func open() throws {
    engine = AVAudioEngine()
    let format = AVAudioFormat(standardFormatWithSampleRate: Double(TurnQueue.playedHz), channels: 1)!
    let source = AVAudioSourceNode(format: format) { [weak self] isSilence, _, _, buffers in
      self?.render(into: buffers, isSilence)
      return noErr
    }
    engine.attach(source)
    engine.connect(source, to: engine.mainMixerNode, format: format)
    self.source = source
    if let wishes { try listen(wishes) }
    engine.prepare()
    try engine.start()
  }

  func close() {
    stopListening()
    engine.stop()
    source = nil
  }

  /// The hardware's format has changed, or the system's audio was started anew, which stops the engine: all of the graph
  /// is made again. One that runs is left alone: to switch voice processing on is such a change, too.
  func mend() {
    if !engine.isRunning { reopen() }
  }

  private func reopen() {
    engine.stop()
    do {
      try open()
    } catch {
      wishes = nil
      onLost(error.localizedDescription)
    }
  }

  func start(_ wishes: Wishes) throws {
    self.wishes = wishes
    engine.stop() // voice processing can be changed only while it is stopped
    do {
      try open()
    } catch {
      self.wishes = nil
      try? open() // the agent's voice at least
      throw error
    }
  }

  func stopListening() {
    guard wishes != nil else { return }
    wishes = nil
    engine.inputNode.removeTap(onBus: 0)
  }

  /// Play nothing and keep what is queued: another app has the audio.
  func hold(_ isHeld: Bool) {
    self.isHeld = isHeld
    if isHeld {
      stopListening()
      engine.pause()
    } else {
      reopen()
    }
  }

  func play(_ turn: Int, _ pcm: Data) {
    lock.withLock { queue.play(turn, pcm) }
  }

  func finish(_ turn: Int) {
    lock.withLock { queue.finish(turn) }
  }

  func flush(_ turn: Int) -> Flushed {
    lock.withLock { queue.flush(turn) }
  }

  /// 0 to 4: above 1 the mixer amplifies.
  func setVolume(_ volume: Float) {
    engine.mainMixerNode.outputVolume = min(max(volume, 0), 4)
  }

  private func render(into list: UnsafeMutablePointer<AudioBufferList>, _ isSilence: UnsafeMutablePointer<ObjCBool>) {
    for buffer in UnsafeMutableAudioBufferListPointer(list) {
      let samples = UnsafeMutableBufferPointer<Float>(buffer)
      if isHeld { samples.update(repeating: 0) } else { lock.withLock { queue.render(into: samples) } }
    }
    isSilence.pointee = ObjCBool(isHeld)
  }

  private func listen(_ wishes: Wishes) throws {
    let input = engine.inputNode
    try input.setVoiceProcessingEnabled(wishes.voiceProcessing)
    if wishes.voiceProcessing { input.isVoiceProcessingAGCEnabled = wishes.autoGainControl }
    let format = input.outputFormat(forBus: 0)
    guard format.sampleRate > 0,
      let heard = AVAudioFormat(commonFormat: .pcmFormatInt16, sampleRate: Self.heardHz, channels: 1, interleaved: true),
      let converter = AVAudioConverter(from: format, to: heard)
    else { throw Failure.microphone }
    converter.channelMap = [0] // voice processing may give several
    pending = Data()
    let frameBytes = wishes.frameMs * Int(Self.heardHz) / 1000 * 2
    input.installTap(onBus: 0, bufferSize: AVAudioFrameCount(format.sampleRate / 50), format: format) {
      [weak self] buffer, _ in
      self?.heard(buffer, converter, frameBytes)
    }
  }

  private func heard(_ buffer: AVAudioPCMBuffer, _ converter: AVAudioConverter, _ frameBytes: Int) {
    let ratio = converter.outputFormat.sampleRate / converter.inputFormat.sampleRate
    let room = AVAudioFrameCount(Double(buffer.frameLength) * ratio) + 16
    guard let out = AVAudioPCMBuffer(pcmFormat: converter.outputFormat, frameCapacity: room) else { return }
    var isGiven = false
    converter.convert(to: out, error: nil) { _, status in
      status.pointee = isGiven ? .noDataNow : .haveData
      defer { isGiven = true }
      return isGiven ? nil : buffer
    }
    guard let samples = out.int16ChannelData?[0] else { return }
    pending.append(Data(bytes: samples, count: Int(out.frameLength) * 2))
    while pending.count >= frameBytes {
      onFrame(Data(pending.prefix(frameBytes)))
      pending = Data(pending.dropFirst(frameBytes))
    }
  }
}

enum Failure: LocalizedError {
  case microphone

  var errorDescription: String? { "the microphone has no format" }
}
