package dev.vivavoce.audio

import kotlin.math.max
import kotlin.math.min
import kotlin.math.sqrt

internal const val PLAYED_HZ = 24_000

/** What was played of a turn, and what was dropped, in ms. */
internal data class Flushed(val playedMs: Double, val droppedMs: Double)

/** Receiver of what the player has to tell; called from within `render` and `flush`. */
internal interface PlayerEvents {
  fun played(turn: Int, state: String, playedMs: Double, bufferedMs: Double)
  fun underrun(turn: Int, prebufferMs: Double)
  fun level(output: Double)
}

/**
 * The jitter buffer: turns one after the other, s16 mono at 24 kHz. Pure: no thread, no clock, no Android.
 *
 * `unheard` is the number of samples that were rendered and not heard yet: those in the device. Not for concurrent use.
 */
internal class TurnQueue(private val events: PlayerEvents) {
  private val turns = ArrayDeque<Turn>()
  private var finished = 0 // no more audio of this turn and earlier follows
  private var flushed = 0 // audio of this turn and earlier is dropped
  private var prebufferMs = PREBUFFER_MS
  private var reportedMs = 0.0
  private val loudness = Loudness(events)

  fun play(number: Int, pcm: ByteArray) {
    if (number <= flushed) return
    val last = turns.lastOrNull()
    val turn = if (last?.number == number) last else Turn(number, number <= finished).also {
      last?.isFinished = true
      turns.addLast(it)
    }
    if (turn.bufferedMs() < LONGEST_MS) turn.push(samplesOf(pcm))
  }

  fun finish(number: Int) {
    finished = max(finished, number)
    for (turn in turns) if (turn.number <= number) turn.isFinished = true
  }

  /** Forget `number` and earlier. The caller empties the device. */
  fun flush(number: Int, unheard: Int): Flushed {
    flushed = max(flushed, number)
    val turn = turns.find { it.number == number }
    turns.removeAll { it.number <= number }
    loudness.silence()
    return turn?.let { Flushed(it.heardMs(unheard), it.bufferedMs(unheard)) } ?: Flushed(0.0, 0.0)
  }

  /** Fill `into` with sound, and with silence where there is none. */
  fun render(into: ShortArray, unheard: Int) {
    into.fill(0)
    turns.firstOrNull()?.let { render(it, into, unheard) }
    loudness.measure(into)
  }

  private fun render(turn: Turn, into: ShortArray, unheard: Int) {
    if (!turn.isPlaying && (turn.isFinished || turn.bufferedMs() >= prebufferMs)) start(turn)
    if (!turn.isPlaying) return
    val count = turn.take(into)
    if (turn.heardMs(unheard) - reportedMs >= REPORT_MS) report("progress", turn, unheard)
    if (count < into.size) runDry(turn, unheard)
  }

  private fun start(turn: Turn) {
    turn.isPlaying = true
    if (turn.rendered == 0L) report("started", turn, 0) // else it goes on after an underrun
  }

  private fun runDry(turn: Turn, unheard: Int) {
    if (turn.isFinished) {
      if (!turn.isHeard(unheard)) return // still in the device
      report("drained", turn, 0)
      turns.removeFirst()
      prebufferMs = max(PREBUFFER_MS, prebufferMs * 0.9)
      return
    }
    turn.isPlaying = false
    prebufferMs = min(MAX_PREBUFFER_MS, prebufferMs * 1.5)
    events.underrun(turn.number, prebufferMs)
    report("progress", turn, unheard)
  }

  private fun report(state: String, turn: Turn, unheard: Int) {
    reportedMs = turn.heardMs(unheard)
    events.played(turn.number, state, reportedMs, turn.bufferedMs(unheard))
  }

  private companion object {
    const val PREBUFFER_MS = 80.0
    const val MAX_PREBUFFER_MS = 400.0
    const val REPORT_MS = 1000.0
    const val LONGEST_MS = 600_000.0 // no answer is that long, so more of it is dropped
  }
}

/** Audio of one turn: samples in, samples out, counted on both sides. */
private class Turn(val number: Int, var isFinished: Boolean) {
  var isPlaying = false
  var rendered = 0L
    private set
  private var pushed = 0L
  private var silence = 0 // samples that follow its last sound in the device
  private var heard = 0L
  private var head = 0 // samples taken from the first of the queue
  private val queue = ArrayDeque<ShortArray>()

  fun push(samples: ShortArray) {
    queue.addLast(samples)
    pushed += samples.size
  }

  /** Move samples into `into`; returns how many there were. */
  fun take(into: ShortArray): Int {
    var count = 0
    while (count < into.size) {
      val first = queue.firstOrNull() ?: break
      val size = min(first.size - head, into.size - count)
      first.copyInto(into, count, head, head + size)
      count += size
      head += size
      if (head == first.size) {
        queue.removeFirst()
        head = 0
      }
    }
    rendered += count
    silence = if (count == 0) silence + into.size else into.size - count
    return count
  }

  /** Nothing of it is left in the device. */
  fun isHeard(unheard: Int): Boolean = unheard <= silence

  /** Never goes back, also where the device's position does. */
  fun heardMs(unheard: Int): Double {
    heard = max(heard, rendered - max(0, unheard - silence))
    return heard * 1000.0 / PLAYED_HZ
  }

  fun bufferedMs(unheard: Int = 0): Double = pushed * 1000.0 / PLAYED_HZ - heardMs(unheard)
}

/** Tells the level of what is played, twenty times a second, and once when it has become silent. */
private class Loudness(private val events: PlayerEvents) {
  private var energy = 0.0
  private var measured = 0
  private var isLoud = false

  fun measure(samples: ShortArray) {
    for (sample in samples) energy += sample.toDouble() * sample
    measured += samples.size
    if (measured < PLAYED_HZ / LEVELS_PER_S) return
    val level = sqrt(energy / measured) / 32_768
    if (level > 0 || isLoud) events.level(level)
    isLoud = level > 0
    energy = 0.0
    measured = 0
  }

  fun silence() {
    if (isLoud) events.level(0.0)
    isLoud = false
    energy = 0.0
    measured = 0
  }

  private companion object {
    const val LEVELS_PER_S = 20
  }
}

/** s16le to samples; half a sample at the end is left out. */
internal fun samplesOf(pcm: ByteArray) = ShortArray(pcm.size / 2) { at ->
  ((pcm[2 * at + 1].toInt() shl 8) or (pcm[2 * at].toInt() and 0xff)).toShort()
}
