package dev.vivavoce.audio

import android.annotation.SuppressLint
import android.media.AudioDeviceInfo
import android.media.AudioFormat
import android.media.AudioRecord
import android.media.MediaRecorder
import android.media.audiofx.AcousticEchoCanceler
import android.media.audiofx.AudioEffect
import android.media.audiofx.AutomaticGainControl
import android.media.audiofx.NoiseSuppressor
import android.os.Process
import kotlin.concurrent.thread

private const val HEARD_HZ = 16_000
private const val BYTES_PER_MS = HEARD_HZ / 1000 * 2

/** How the microphone is to be opened. */
internal data class Wishes(
  val frameMs: Int,
  val echoCancellation: Boolean,
  val noiseSuppression: Boolean,
  val autoGainControl: Boolean,
)

/** The microphone: a thread that reads frames of s16le, mono, 16 kHz. */
internal class Capture(private val onFrame: (ByteArray) -> Unit, private val onLost: (String) -> Unit) {
  @Volatile private var record: AudioRecord? = null

  /** Needs the permission. Throws IllegalStateException when the microphone cannot be had. */
  @Synchronized
  @SuppressLint("MissingPermission")
  fun open(wishes: Wishes, device: AudioDeviceInfo?) {
    close()
    val frameBytes = wishes.frameMs * BYTES_PER_MS
    val least = AudioRecord.getMinBufferSize(HEARD_HZ, AudioFormat.CHANNEL_IN_MONO, AudioFormat.ENCODING_PCM_16BIT)
    val opened = AudioRecord(
      MediaRecorder.AudioSource.VOICE_COMMUNICATION,
      HEARD_HZ,
      AudioFormat.CHANNEL_IN_MONO,
      AudioFormat.ENCODING_PCM_16BIT,
      maxOf(least, 4 * frameBytes),
    )
    try {
      check(opened.state == AudioRecord.STATE_INITIALIZED) { "the recorder was not initialised" }
      if (device != null) opened.preferredDevice = device
      opened.startRecording()
      check(opened.recordingState == AudioRecord.RECORDSTATE_RECORDING) { "another app keeps the microphone" }
    } catch (refused: IllegalStateException) {
      opened.release()
      throw refused
    }
    record = opened
    val effects = effectsOn(opened.audioSessionId, wishes)
    thread(name = "vivavoce-capture") {
      run(opened, frameBytes)
      effects.forEach { it.release() }
      opened.release()
    }
  }

  @Synchronized
  fun close() {
    val own = record ?: return
    record = null
    runCatching { own.stop() } // which ends the thread's read; the thread releases it. It may be dead already
  }

  private fun run(own: AudioRecord, frameBytes: Int) {
    Process.setThreadPriority(Process.THREAD_PRIORITY_URGENT_AUDIO)
    while (record === own) {
      val frame = ByteArray(frameBytes)
      val read = fill(own, frame)
      if (record !== own) break
      if (read < 0) {
        record = null
        onLost("AudioRecord.read: $read")
      } else if (read == frame.size) onFrame(frame)
    }
  }

  /** Read a whole frame; returns its size, less when the recorder was stopped, or an error below 0. */
  private fun fill(own: AudioRecord, frame: ByteArray): Int {
    var at = 0
    while (at < frame.size) {
      val read = own.read(frame, at, frame.size - at)
      if (read < 0) return read
      if (read == 0) break
      at += read
    }
    return at
  }

  /** The source asks for these already; not every phone heeds it. */
  private fun effectsOn(session: Int, wishes: Wishes): List<AudioEffect> = listOfNotNull(
    if (wishes.echoCancellation && AcousticEchoCanceler.isAvailable()) AcousticEchoCanceler.create(session) else null,
    if (wishes.noiseSuppression && NoiseSuppressor.isAvailable()) NoiseSuppressor.create(session) else null,
    if (wishes.autoGainControl && AutomaticGainControl.isAvailable()) AutomaticGainControl.create(session) else null,
  ).onEach { it.enabled = true }
}
