package dev.vivavoce.audio

import android.Manifest
import android.content.Context
import android.media.AudioManager
import expo.modules.interfaces.permissions.PermissionsStatus
import expo.modules.kotlin.Promise
import expo.modules.kotlin.exception.CodedException
import expo.modules.kotlin.modules.Module
import expo.modules.kotlin.modules.ModuleDefinition
import expo.modules.kotlin.records.Field
import expo.modules.kotlin.records.Record

/** `NativeMicOptions` of `vivavoce/react-native`. */
class MicOptions : Record {
  @Field val frameMs: Int = 20
  @Field val echoCancellation: Boolean = true
  @Field val noiseSuppression: Boolean = true
  @Field val autoGainControl: Boolean = true
  @Field val deviceId: String = ""
  @Field val inBackground: Boolean = false
}

/** `NativeVoice` of `vivavoce/react-native` on Android. */
class VivavoceAudioModule : Module(), PlayerEvents {
  private val context: Context
    get() = requireNotNull(appContext.reactContext) { "no context" }
  private val manager by lazy { context.getSystemService(Context.AUDIO_SERVICE) as AudioManager }
  private val playback = Playback(this)
  private val capture = Capture(
    onFrame = { pcm -> sendEvent("onFrame", mapOf("pcm" to pcm)) },
    onLost = { message -> sendEvent("onLost", mapOf("message" to message)) },
  )
  private val routes by lazy { Routes(manager) { sendEvent("onRoute", it) } }
  private val focus by lazy { Focus(manager, ::focused) }
  private var isPrepared = false

  override fun definition() = ModuleDefinition {
    Name("VivavoceAudio")
    Events("onFrame", "onPlayed", "onUnderrun", "onLevel", "onRoute", "onFocus", "onLost")

    AsyncFunction("prepare") { prepare() }
    AsyncFunction("release") { release() }
    AsyncFunction("start") { options: MicOptions, promise: Promise -> ask(options, promise) }
    AsyncFunction("stop") { capture.close() }
    Function("play") { turn: Int, pcm: ByteArray -> playback.play(turn, pcm) }
    Function("finish") { turn: Int -> playback.finish(turn) }
    AsyncFunction("flush") { turn: Int ->
      val (playedMs, droppedMs) = playback.flush(turn)
      mapOf("playedMs" to playedMs, "droppedMs" to droppedMs)
    }
    Function("setVolume") { volume: Double -> playback.setVolume(volume.toFloat()) }
    AsyncFunction("routes") { routes.snapshot() }
    AsyncFunction("setOutput") { id: String? ->
      if (!routes.choose(id?.toInt())) throw CodedException("not_found", "no output $id", null)
    }
    OnActivityEntersForeground { focus.retake() }
    OnDestroy { release() }
  }

  override fun played(turn: Int, state: String, playedMs: Double, bufferedMs: Double) = sendEvent(
    "onPlayed",
    mapOf("turn" to turn, "state" to state, "playedMs" to playedMs, "bufferedMs" to bufferedMs),
  )

  override fun underrun(turn: Int, prebufferMs: Double) =
    sendEvent("onUnderrun", mapOf("turn" to turn, "prebufferMs" to prebufferMs))

  override fun level(output: Double) = sendEvent("onLevel", mapOf("output" to output))

  private fun prepare() {
    if (isPrepared) return
    if (!focus.take()) throw CodedException("in_use", "another app keeps the audio", null)
    isPrepared = true
    routes.open()
    playback.open()
  }

  private fun release() {
    if (!isPrepared) return
    isPrepared = false
    capture.close()
    CallService.stop(context) // not before: behind other apps it could not be started again
    playback.close()
    routes.close()
    focus.give()
  }

  private fun ask(options: MicOptions, promise: Promise) {
    val permissions = appContext.permissions ?: return promise.reject("unsupported", "no permissions", null)
    permissions.askForPermissions(
      { answers ->
        val isGranted = answers.values.all { it.status == PermissionsStatus.GRANTED }
        if (isGranted) start(options, promise) else promise.reject("denied", "the user said no", null)
      },
      Manifest.permission.RECORD_AUDIO,
    )
  }

  private fun start(options: MicOptions, promise: Promise) {
    try {
      check(focus.isOurs) { "another app has the audio" }
      if (options.inBackground) CallService.start(context)
      capture.open(options.wishes(), routes.inputBy(options.deviceId.toIntOrNull()))
      promise.resolve(routes.snapshot())
    } catch (refused: SecurityException) {
      promise.reject("unsupported", refused.message, refused)
    } catch (refused: IllegalStateException) {
      promise.reject("in_use", refused.message, refused)
    }
  }

  /** On any thread. The microphone is opened again by the app, once it hears of it. */
  private fun focused(isOurs: Boolean) {
    if (!isOurs) capture.close()
    playback.hold(!isOurs)
    sendEvent("onFocus", mapOf("isOurs" to isOurs))
  }

  private fun MicOptions.wishes() = Wishes(frameMs, echoCancellation, noiseSuppression, autoGainControl)
}
