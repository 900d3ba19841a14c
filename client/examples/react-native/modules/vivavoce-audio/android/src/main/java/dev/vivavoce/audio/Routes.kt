package dev.vivavoce.audio

import android.media.AudioDeviceCallback
import android.media.AudioDeviceInfo
import android.media.AudioManager
import android.os.Build
import android.os.Handler
import android.os.Looper

/** Devices in the order in which a conversation prefers them; the earpiece is last: an agent is listened to at arm's length. */
private val PREFERRED = listOf(
  AudioDeviceInfo.TYPE_BLE_HEADSET,
  AudioDeviceInfo.TYPE_BLUETOOTH_SCO,
  AudioDeviceInfo.TYPE_USB_HEADSET,
  AudioDeviceInfo.TYPE_WIRED_HEADSET,
  AudioDeviceInfo.TYPE_WIRED_HEADPHONES,
  AudioDeviceInfo.TYPE_BUILTIN_SPEAKER,
  AudioDeviceInfo.TYPE_BUILTIN_EARPIECE,
)

/** Where the sound goes: the user's choice while it is there, else the most personal device. */
internal class Routes(private val manager: AudioManager, private val onChange: (Map<String, Any>) -> Unit) {
  private var chosen: Int? = null // id of an output, by the user
  private var input: AudioDeviceInfo? = null

  private val callback = object : AudioDeviceCallback() {
    override fun onAudioDevicesAdded(added: Array<out AudioDeviceInfo>) = changed()
    override fun onAudioDevicesRemoved(removed: Array<out AudioDeviceInfo>) = changed()
  }

  fun open() {
    manager.mode = AudioManager.MODE_IN_COMMUNICATION
    apply()
    manager.registerAudioDeviceCallback(callback, Handler(Looper.getMainLooper()))
  }

  fun close() {
    manager.unregisterAudioDeviceCallback(callback)
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) manager.clearCommunicationDevice()
    manager.mode = AudioManager.MODE_NORMAL
  }

  /** False: there is no such output. */
  fun choose(id: Int?): Boolean {
    if (id != null && outputs().none { it.id == id }) return false
    chosen = id
    apply()
    onChange(snapshot())
    return true
  }

  /** The microphone to record from; null: the system's choice. */
  fun inputBy(id: Int?): AudioDeviceInfo? {
    input = inputs().find { it.id == id }
    return input
  }

  fun snapshot(): Map<String, Any> = mapOf(
    "inputs" to inputs().map(::shown),
    "outputs" to outputs().map(::shown),
    "input" to (input ?: inputs().find { it.type == wanted()?.type } ?: inputs().firstOrNull())?.id.orEmpty(),
    "output" to wanted()?.id.orEmpty(),
  )

  private fun changed() {
    apply()
    onChange(snapshot())
  }

  private fun apply() {
    val output = wanted() ?: return
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) {
      manager.setCommunicationDevice(output)
      return
    }
    // Before Android 12 only loudspeaker or not can be said; a headset with a cable wins by itself.
    @Suppress("DEPRECATION")
    manager.isSpeakerphoneOn = output.type == AudioDeviceInfo.TYPE_BUILTIN_SPEAKER
  }

  private fun wanted(): AudioDeviceInfo? {
    val all = outputs()
    return all.find { it.id == chosen } ?: PREFERRED.firstNotNullOfOrNull { type -> all.find { it.type == type } }
  }

  private fun outputs(): List<AudioDeviceInfo> {
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) return manager.availableCommunicationDevices
    return manager.getDevices(AudioManager.GET_DEVICES_OUTPUTS).filter { it.type in PREFERRED && !isBluetooth(it) }
  }

  private fun inputs(): List<AudioDeviceInfo> =
    manager.getDevices(AudioManager.GET_DEVICES_INPUTS).filter { it.type != AudioDeviceInfo.TYPE_TELEPHONY }

  /** Before Android 12 a Bluetooth microphone needs a connection of its own, which this module does not make. */
  private fun isBluetooth(device: AudioDeviceInfo) = device.type == AudioDeviceInfo.TYPE_BLUETOOTH_SCO

  private fun shown(device: AudioDeviceInfo) = mapOf("id" to device.id.toString(), "label" to labelOf(device))

  /** The phone's own devices all carry the phone's name. */
  private fun labelOf(device: AudioDeviceInfo): String = when (device.type) {
    AudioDeviceInfo.TYPE_BUILTIN_SPEAKER -> "Speaker"
    AudioDeviceInfo.TYPE_BUILTIN_EARPIECE -> "Earpiece"
    AudioDeviceInfo.TYPE_BUILTIN_MIC -> "Microphone"
    else -> device.productName.toString()
  }

  private fun Int?.orEmpty(): String = this?.toString() ?: ""
}
