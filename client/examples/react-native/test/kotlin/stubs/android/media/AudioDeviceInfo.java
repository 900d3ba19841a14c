package android.media;

public final class AudioDeviceInfo {
  public static final int TYPE_BUILTIN_EARPIECE = 1;
  public static final int TYPE_BUILTIN_SPEAKER = 2;
  public static final int TYPE_WIRED_HEADSET = 3;
  public static final int TYPE_WIRED_HEADPHONES = 4;
  public static final int TYPE_BLUETOOTH_SCO = 7;
  public static final int TYPE_BUILTIN_MIC = 15;
  public static final int TYPE_TELEPHONY = 18;
  public static final int TYPE_USB_HEADSET = 22;
  public static final int TYPE_BLE_HEADSET = 26;
  public int getId() { return 0; }
  public int getType() { return 0; }
  public CharSequence getProductName() { return null; }
}
