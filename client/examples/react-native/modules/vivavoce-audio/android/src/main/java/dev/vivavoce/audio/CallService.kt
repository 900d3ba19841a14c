package dev.vivavoce.audio

import android.app.Notification
import android.app.NotificationChannel
import android.app.NotificationManager
import android.app.PendingIntent
import android.app.Service
import android.content.Context
import android.content.Intent
import android.content.pm.ServiceInfo
import android.os.Build
import android.os.IBinder

private const val CHANNEL = "vivavoce-call"
private const val NOTIFICATION = 1

/**
 * Keeps the microphone open behind other apps: Android silences an app that is not seen, unless such a service tells the
 * user of it. Started while the app is in front, which Android demands.
 */
class CallService : Service() {
  override fun onBind(intent: Intent?): IBinder? = null

  override fun onStartCommand(intent: Intent?, flags: Int, startId: Int): Int {
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R)
      startForeground(NOTIFICATION, notification(), ServiceInfo.FOREGROUND_SERVICE_TYPE_MICROPHONE)
    else startForeground(NOTIFICATION, notification())
    return START_NOT_STICKY
  }

  /** The user swiped the app away. */
  override fun onTaskRemoved(rootIntent: Intent?) = stopSelf()

  private fun notification(): Notification {
    val app = applicationInfo.loadLabel(packageManager)
    val front = packageManager.getLaunchIntentForPackage(packageName)
    val open = PendingIntent.getActivity(this, 0, front, PendingIntent.FLAG_IMMUTABLE)
    return builder(app)
      .setSmallIcon(applicationInfo.icon)
      .setContentTitle(app)
      .setContentText(getString(R.string.vivavoce_call))
      .setCategory(Notification.CATEGORY_CALL)
      .setContentIntent(open)
      .setOngoing(true)
      .build()
  }

  private fun builder(app: CharSequence): Notification.Builder {
    if (Build.VERSION.SDK_INT < Build.VERSION_CODES.O) {
      @Suppress("DEPRECATION")
      return Notification.Builder(this)
    }
    val channel = NotificationChannel(CHANNEL, app, NotificationManager.IMPORTANCE_LOW)
    getSystemService(NotificationManager::class.java).createNotificationChannel(channel)
    return Notification.Builder(this, CHANNEL)
  }

  companion object {
    /** Throws IllegalStateException behind other apps, SecurityException without the manifest's permissions. */
    fun start(context: Context) {
      val service = Intent(context, CallService::class.java)
      if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.O) context.startForegroundService(service)
      else context.startService(service)
    }

    fun stop(context: Context) {
      context.stopService(Intent(context, CallService::class.java))
    }
  }
}
