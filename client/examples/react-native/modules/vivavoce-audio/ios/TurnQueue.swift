import Foundation

/// What was played of a turn, and what was dropped, in ms.
struct Flushed {
  var playedMs = 0.0
  var droppedMs = 0.0
}

enum PlayedState: String {
  case started, progress, drained
}

/// Receiver of what the player has to tell; called from within `render`, `flush` and nothing else.
protocol PlayerEvents: AnyObject {
  func played(turn: Int, state: PlayedState, playedMs: Double, bufferedMs: Double)
  func underrun(turn: Int, prebufferMs: Double)
  func level(output: Double)
}

/// The jitter buffer: turns one after the other, mono at 24 kHz. Pure: no thread, no clock, no audio unit.
///
/// What is rendered counts as heard: the way through the device is some milliseconds. Not for concurrent use.
final class TurnQueue {
  static let playedHz = 24_000
  private static let prebufferMs = 80.0
  private static let maxPrebufferMs = 400.0
  private static let reportMs = 1000.0
  private static let longestMs = 600_000.0 // no answer is that long, so more of it is dropped

  private var turns: [Turn] = []
  private var finished = 0 // no more audio of this turn and earlier follows
  private var flushed = 0 // audio of this turn and earlier is dropped
  private var prebufferMs = TurnQueue.prebufferMs
  private var reportedMs = 0.0
  private let loudness = Loudness()
  private weak var events: PlayerEvents?

  init(events: PlayerEvents) {
    self.events = events
  }

  func play(_ number: Int, _ pcm: Data) {
    guard number > flushed else { return }
    let turn: Turn
    if let last = turns.last, last.number == number {
      turn = last
    } else {
      turns.last?.isFinished = true
      turn = Turn(number, isFinished: number <= finished)
      turns.append(turn)
    }
    if turn.bufferedMs < Self.longestMs { turn.push(samples(of: pcm)) }
  }

  func finish(_ number: Int) {
    finished = max(finished, number)
    for turn in turns where turn.number <= number { turn.isFinished = true }
  }

  /// Forget `number` and earlier: silent from the next sample on.
  func flush(_ number: Int) -> Flushed {
    flushed = max(flushed, number)
    let turn = turns.first { $0.number == number }
    turns.removeAll { $0.number <= number }
    if loudness.silence() { events?.level(output: 0) }
    guard let turn else { return Flushed() }
    return Flushed(playedMs: turn.playedMs, droppedMs: turn.bufferedMs)
  }

  /// Fill `output` with sound, -1 to 1, and with silence where there is none.
  func render(into output: UnsafeMutableBufferPointer<Float>) {
    output.update(repeating: 0)
    if let turn = turns.first { render(turn, into: output) }
    if let level = loudness.measure(output) { events?.level(output: level) }
  }

  private func render(_ turn: Turn, into output: UnsafeMutableBufferPointer<Float>) {
    if !turn.isPlaying, turn.isFinished || turn.bufferedMs >= prebufferMs { start(turn) }
    guard turn.isPlaying else { return }
    let count = turn.take(into: output)
    if turn.playedMs - reportedMs >= Self.reportMs { report(.progress, turn) }
    if count < output.count { runDry(turn) }
  }

  private func start(_ turn: Turn) {
    turn.isPlaying = true
    if turn.rendered == 0 { report(.started, turn) } // else it goes on after an underrun
  }

  private func runDry(_ turn: Turn) {
    turn.isPlaying = false
    if turn.isFinished {
      report(.drained, turn)
      turns.removeFirst()
      prebufferMs = max(Self.prebufferMs, prebufferMs * 0.9)
      return
    }
    prebufferMs = min(Self.maxPrebufferMs, prebufferMs * 1.5)
    events?.underrun(turn: turn.number, prebufferMs: prebufferMs)
    report(.progress, turn)
  }

  private func report(_ state: PlayedState, _ turn: Turn) {
    reportedMs = turn.playedMs
    events?.played(turn: turn.number, state: state, playedMs: turn.playedMs, bufferedMs: turn.bufferedMs)
  }
}

/// Audio of one turn: samples in, samples out, counted on both sides.
private final class Turn {
  let number: Int
  var isFinished: Bool
  var isPlaying = false
  private(set) var rendered = 0
  private var pushed = 0
  private var head = 0 // samples taken from the first of the queue
  private var queue: [[Float]] = []

  init(_ number: Int, isFinished: Bool) {
    self.number = number
    self.isFinished = isFinished
  }

  var playedMs: Double { Double(rendered) * 1000 / Double(TurnQueue.playedHz) }

  var bufferedMs: Double { Double(pushed) * 1000 / Double(TurnQueue.playedHz) - playedMs }

  func push(_ samples: [Float]) {
    guard !samples.isEmpty else { return }
    queue.append(samples)
    pushed += samples.count
  }

  /// Move samples into `output`; returns how many there were.
  func take(into output: UnsafeMutableBufferPointer<Float>) -> Int {
    var count = 0
    while count < output.count, let first = queue.first {
      let size = min(first.count - head, output.count - count)
      for at in 0..<size { output[count + at] = first[head + at] }
      count += size
      head += size
      if head == first.count {
        queue.removeFirst()
        head = 0
      }
    }
    rendered += count
    return count
  }
}

/// The level of what is played, twenty times a second, and once when it has become silent.
private final class Loudness {
  private static let everySamples = TurnQueue.playedHz / 20
  private var energy = 0.0
  private var measured = 0
  private var isLoud = false

  /// Nil: not yet, or silent as before.
  func measure(_ output: UnsafeMutableBufferPointer<Float>) -> Double? {
    for sample in output { energy += Double(sample) * Double(sample) }
    measured += output.count
    guard measured >= Self.everySamples else { return nil }
    let level = (energy / Double(measured)).squareRoot()
    let wasLoud = isLoud
    isLoud = level > 0
    energy = 0
    measured = 0
    return isLoud || wasLoud ? level : nil
  }

  /// True: it was not.
  func silence() -> Bool {
    defer {
      isLoud = false
      energy = 0
      measured = 0
    }
    return isLoud
  }
}

/// s16le to -1 to 1; half a sample at the end is left out.
func samples(of pcm: Data) -> [Float] {
  let bytes = [UInt8](pcm)
  return stride(from: 0, to: bytes.count - 1, by: 2).map { at in
    Float(Int16(bitPattern: UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8)) / 32_768
  }
}
