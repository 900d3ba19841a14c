package dev.vivavoce.audio

import android.media.AudioAttributes
import android.media.AudioFormat
import android.media.AudioTrack
import android.os.Process
import kotlin.concurrent.thread

private const val CHUNK_MS = 10
private const val CHUNK_SAMPLES = PLAYED_HZ / 1000 * CHUNK_MS

/** The agent's voice: a thread that moves samples from the jitter buffer to the loudspeaker. */
internal class Playback(events: PlayerEvents) {
  private val lock = Any()
  private val queue = TurnQueue(events)
  private var track: AudioTrack? = null
  private var written = 0L // samples since the track was last emptied
  private var isHeld = false
  private var volume = 1f

  fun open() {
    synchronized(lock) {
      if (track != null) return
      val opened = build()
      track = opened
      written = 0
      opened.play()
      thread(name = "vivavoce-playback") { run(opened) }
    }
  }

  fun close() = synchronized(lock) {
    track?.run {
      pause()
      flush()
    }
    track = null // its thread releases it
  }

  /** Play nothing and keep what is queued: another app has the audio. */
  fun hold(isHeld: Boolean) = synchronized(lock) {
    this.isHeld = isHeld
    track?.run { if (isHeld) pause() else play() }
    Unit
  }

  fun play(turn: Int, pcm: ByteArray) = synchronized(lock) { queue.play(turn, pcm) }

  fun finish(turn: Int) = synchronized(lock) { queue.finish(turn) }

  /** Silent when this returns: what is in the device is dropped, too. */
  fun flush(turn: Int): Flushed = synchronized(lock) {
    val flushed = queue.flush(turn, unheard())
    track?.run {
      pause()
      flush()
      if (!isHeld) play()
    }
    written = 0
    flushed
  }

  /** 0 to 4. The system's own volume is untouched; above 1 the samples are amplified. */
  fun setVolume(volume: Float) = synchronized(lock) { this.volume = volume.coerceIn(0f, 4f) }

  private fun run(own: AudioTrack) {
    Process.setThreadPriority(Process.THREAD_PRIORITY_URGENT_AUDIO)
    val chunk = ShortArray(CHUNK_SAMPLES)
    while (step(own, chunk)) Unit
    own.release()
  }

  /** Write one chunk without waiting, or wait a while. False: another track, or none, is in use. */
  private fun step(own: AudioTrack, chunk: ShortArray): Boolean {
    val isFull = synchronized(lock) {
      if (track !== own) return false
      val room = own.bufferSizeInFrames - unheard()
      val isReady = !isHeld && room >= chunk.size
      if (isReady) {
        queue.render(chunk, unheard())
        amplify(chunk)
        written += maxOf(0, own.write(chunk, 0, chunk.size, AudioTrack.WRITE_NON_BLOCKING))
      }
      !isReady
    }
    if (isFull) Thread.sleep(CHUNK_MS / 2L)
    return true
  }

  /** Samples in the device. The position is an unsigned number of 32 bits that a flush sets to 0. */
  private fun unheard(): Int {
    val heard = (track?.playbackHeadPosition ?: 0).toLong() and 0xffff_ffffL
    return (written - heard).coerceIn(0, PLAYED_HZ.toLong()).toInt()
  }

  private fun amplify(chunk: ShortArray) {
    if (volume == 1f) return
    for (at in chunk.indices)
      chunk[at] = (chunk[at] * volume).toInt().coerceIn(Short.MIN_VALUE.toInt(), Short.MAX_VALUE.toInt()).toShort()
  }

  private fun build(): AudioTrack {
    val least = AudioTrack.getMinBufferSize(PLAYED_HZ, AudioFormat.CHANNEL_OUT_MONO, AudioFormat.ENCODING_PCM_16BIT)
    return AudioTrack.Builder()
      // Voice communication: the echo canceller listens to this road only.
      .setAudioAttributes(
        AudioAttributes.Builder()
          .setUsage(AudioAttributes.USAGE_VOICE_COMMUNICATION)
          .setContentType(AudioAttributes.CONTENT_TYPE_SPEECH)
          .build(),
      )
      .setAudioFormat(
        AudioFormat.Builder()
          .setSampleRate(PLAYED_HZ)
          .setChannelMask(AudioFormat.CHANNEL_OUT_MONO)
          .setEncoding(AudioFormat.ENCODING_PCM_16BIT)
          .build(),
      )
      .setTransferMode(AudioTrack.MODE_STREAM)
      .setBufferSizeInBytes(maxOf(least, 4 * 2 * CHUNK_SAMPLES))
      .build()
  }
}
