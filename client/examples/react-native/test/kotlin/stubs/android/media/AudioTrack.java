package android.media;

public class AudioTrack {
  public static final int MODE_STREAM = 1;
  public static final int WRITE_NON_BLOCKING = 1;
  public static int getMinBufferSize(int hz, int channels, int encoding) { return 0; }
  public int getBufferSizeInFrames() { return 0; }
  public int getPlaybackHeadPosition() { return 0; }
  public void play() {}
  public void pause() {}
  public void flush() {}
  public void release() {}
  public int write(short[] from, int offset, int size, int mode) { return 0; }

  public static class Builder {
    public Builder setAudioAttributes(AudioAttributes attributes) { return this; }
    public Builder setAudioFormat(AudioFormat format) { return this; }
    public Builder setTransferMode(int mode) { return this; }
    public Builder setBufferSizeInBytes(int bytes) { return this; }
    public AudioTrack build() { return new AudioTrack(); }
  }
}
