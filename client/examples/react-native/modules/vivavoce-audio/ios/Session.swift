import AVFoundation

/// The app's audio session: its category, interruptions by other apps, and routes.
final class Session {
  private static let speaker = "speaker"
  private let session = AVAudioSession.sharedInstance()
  private let onFocus: (Bool) -> Void
  private let onRoute: () -> Void
  private let onReset: () -> Void
  private var observers: [NSObjectProtocol] = []

  /// `onReset`: the audio's graph must be made again.
  init(onFocus: @escaping (Bool) -> Void, onRoute: @escaping () -> Void, onReset: @escaping () -> Void) {
    self.onFocus = onFocus
    self.onRoute = onRoute
    self.onReset = onReset
  }

  func open() throws {
    try session.setCategory(.playAndRecord, mode: .voiceChat, options: [.allowBluetooth, .defaultToSpeaker])
    try session.setActive(true)
    observe(AVAudioSession.interruptionNotification) { [weak self] in self?.interrupted($0) }
    observe(AVAudioSession.routeChangeNotification) { [weak self] _ in self?.onRoute() }
    observe(AVAudioSession.mediaServicesWereResetNotification) { [weak self] _ in self?.onReset() }
    observe(.AVAudioEngineConfigurationChange) { [weak self] _ in self?.onReset() }
  }

  func close() {
    observers.forEach(NotificationCenter.default.removeObserver)
    observers = []
    // Other apps go on with what they played.
    try? session.setActive(false, options: .notifyOthersOnDeactivation)
  }

  /// Nil: the system's choice. False: there is no such output.
  func choose(_ id: String?) throws -> Bool {
    guard let id, id != Self.speaker else {
      try session.overrideOutputAudioPort(id == nil ? .none : .speaker)
      if id == nil { try session.setPreferredInput(nil) }
      return true
    }
    if session.currentRoute.outputs.contains(where: { $0.uid == id }) { return true }
    guard try chooseInput(id) else { return false }
    try session.overrideOutputAudioPort(.none)
    return true
  }

  /// A headset's microphone brings its loudspeaker along. Empty: the system's choice.
  func chooseInput(_ id: String) throws -> Bool {
    let port = session.availableInputs?.first { $0.uid == id }
    if !id.isEmpty, port == nil { return false }
    try session.setPreferredInput(port)
    return true
  }

  /// `NativeRoutes` of `vivavoce/react-native`. iOS lists no outputs: those in use, those of headsets, the speaker.
  func snapshot() -> [String: Any] {
    let inputs = session.availableInputs ?? []
    let route = session.currentRoute
    let headsets = inputs.filter { $0.portType != .builtInMic }
    var outputs = (route.outputs + headsets).map(shown)
    if !route.outputs.contains(where: { $0.portType == .builtInSpeaker }) {
      outputs.append(["id": Self.speaker, "label": "Speaker"])
    }
    return [
      "inputs": inputs.map(shown), "outputs": outputs,
      "input": route.inputs.first?.uid ?? "", "output": route.outputs.first?.uid ?? "",
    ]
  }

  private func shown(_ port: AVAudioSessionPortDescription) -> [String: String] {
    ["id": port.uid, "label": port.portName]
  }

  private func interrupted(_ note: Notification) {
    let raw = note.userInfo?[AVAudioSessionInterruptionTypeKey] as? UInt
    guard let type = raw.flatMap(AVAudioSession.InterruptionType.init) else { return }
    if type == .began { return onFocus(false) }
    // Also without `shouldResume`, which is about music: a conversation goes on. It fails while a call is still there.
    if (try? session.setActive(true)) != nil { onFocus(true) }
  }

  private func observe(_ name: Notification.Name, _ act: @escaping (Notification) -> Void) {
    observers.append(NotificationCenter.default.addObserver(forName: name, object: nil, queue: .main, using: act))
  }
}
