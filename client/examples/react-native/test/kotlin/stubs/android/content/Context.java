package android.content;

import android.content.pm.ApplicationInfo;
import android.content.pm.PackageManager;

public abstract class Context {
  public static final String AUDIO_SERVICE = "audio";
  public Object getSystemService(String name) { return null; }
  public final <T> T getSystemService(Class<T> type) { return null; }
  public ApplicationInfo getApplicationInfo() { return null; }
  public PackageManager getPackageManager() { return null; }
  public String getPackageName() { return null; }
  public final String getString(int id) { return null; }
  public Object startForegroundService(Intent service) { return null; }
  public Object startService(Intent service) { return null; }
  public boolean stopService(Intent service) { return false; }
}
