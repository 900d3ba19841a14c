package dev.vivavoce.audio

import android.media.AudioManager

/** Whether the phone's audio is ours: Android takes it away for a phone call, an assistant, another app. */
internal class Focus(private val manager: AudioManager, private val onChange: (isOurs: Boolean) -> Unit) {
  var isOurs = false
    private set
  private var isWanted = false

  private val listener = AudioManager.OnAudioFocusChangeListener { change ->
    when (change) {
      AudioManager.AUDIOFOCUS_GAIN -> changed(true)
      AudioManager.AUDIOFOCUS_LOSS, AudioManager.AUDIOFOCUS_LOSS_TRANSIENT -> changed(false)
      // AUDIOFOCUS_LOSS_TRANSIENT_CAN_DUCK: a short sound of another app, for which Android plays us softer.
    }
  }

  /** False: a phone call keeps it. */
  fun take(): Boolean {
    isOurs = ask()
    isWanted = isOurs
    return isOurs
  }

  fun give() {
    isWanted = false
    isOurs = false
    @Suppress("DEPRECATION")
    manager.abandonAudioFocus(listener)
  }

  /** After a lasting loss Android never gives it back by itself: ask again when the user is back. */
  fun retake() {
    if (isWanted && !isOurs && ask()) changed(true)
  }

  private fun changed(isOurs: Boolean) {
    if (this.isOurs == isOurs) return
    this.isOurs = isOurs
    onChange(isOurs)
  }

  /** The older call, which every Android that Expo runs on has. */
  @Suppress("DEPRECATION")
  private fun ask(): Boolean =
    manager.requestAudioFocus(
      listener, AudioManager.STREAM_VOICE_CALL, AudioManager.AUDIOFOCUS_GAIN_TRANSIENT_EXCLUSIVE,
    ) == AudioManager.AUDIOFOCUS_REQUEST_GRANTED
}
