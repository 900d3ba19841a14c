import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** What travels outside of JSON: audio frames and credentials (PROTOCOL.md has a section of each). */
final class Wire {
    static final int UP_HZ = 16_000;
    static final int DOWN_HZ = 24_000;
    private static final int HEADER = 8;
    private static final int SECRET_BYTES = 6144;

    private Wire() {}

    /** One binary message: PCM s16le, mono, of an agent's turn (0 from the microphone). */
    record Frame(int turn, long seq, byte[] pcm) {
        /** Decode a frame from the agent (`down`) or from a microphone (`up`). Throws bad_frame. */
        static Frame read(byte[] message, String direction) throws Refused {
            boolean isAdpcm = message.length >= HEADER && message[0] == 2 && direction.equals("up");
            if (isAdpcm) message = pcm(message);
            int length = message.length - HEADER;
            boolean isLength = direction.equals("down") || (length >= UP_HZ / 100 * 2 && length <= UP_HZ / 10 * 2);
            if (length < 0 || length % 2 != 0 || !isLength || message[0] != 1) throw new Refused("bad_frame");
            ByteBuffer header = ByteBuffer.wrap(message);
            int turn = Short.toUnsignedInt(header.getShort(2));
            long seq = Integer.toUnsignedLong(header.getInt(4));
            return new Frame(turn, seq, Arrays.copyOfRange(message, HEADER, message.length));
        }

        private static byte[] pcm(byte[] adpcm) throws Refused {
            byte[] pcm = Adpcm.read(Arrays.copyOfRange(adpcm, HEADER, adpcm.length));
            byte[] header = Arrays.copyOf(adpcm, HEADER);
            header[0] = 1;
            return ByteBuffer.allocate(HEADER + pcm.length).put(header).put(pcm).array();
        }

        byte[] write() {
            ByteBuffer out = ByteBuffer.allocate(HEADER + pcm.length);
            return out.put((byte) 1).put((byte) 0).putShort((short) turn).putInt((int) seq).put(pcm).array();
        }
    }

    /** Return the subprotocol entries that carry a `jwt` or `ticket`, and those `besides`. Throws auth_invalid, too_large. */
    static List<String> offer(String kind, String secret, List<String> besides) throws Refused {
        if (!secret.matches("[A-Za-z0-9._~-]+")) throw new Refused("auth_invalid");
        if (secret.length() > SECRET_BYTES) throw new Refused("too_large");
        List<String> entries = new ArrayList<>(List.of("vivavoce", "vivavoce." + kind + "." + secret));
        entries.addAll(besides);
        return entries;
    }
}
