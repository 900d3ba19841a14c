import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Microphone audio in a quarter of the bytes, as IMA ADPCM (PROTOCOL.md, Audio frames; vectors/README.md). */
final class Adpcm {
    private static final int HEADER = 4;
    private static final int[] MOVES = {-1, -1, -1, -1, 2, 4, 6, 8};
    private static final int[] STEPS = {
        7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80,
        88, 97, 107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544,
        598, 658, 724, 796, 876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024,
        3327, 3660, 4026, 4428, 4871, 5358, 5894, 6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899,
        15289, 16818, 18500, 20350, 22385, 24623, 27086, 29794, 32767};

    private int sample;
    private int index;

    /** Write the next block of a microphone: PCM s16le, mono. */
    byte[] block(byte[] pcm) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(ByteBuffer.allocate(HEADER).putShort((short) sample).put((byte) index).array());
        ByteBuffer samples = ByteBuffer.wrap(pcm).order(ByteOrder.LITTLE_ENDIAN);
        while (samples.remaining() > 1) {
            int first = code(samples.getShort());
            int second = samples.remaining() > 1 ? code(samples.getShort()) : follow(0);
            out.write(first << 4 | second);
        }
        return out.toByteArray();
    }

    /** Read a block. Throws bad_frame. */
    static byte[] read(byte[] block) throws Refused {
        if (block.length < HEADER || Byte.toUnsignedInt(block[2]) >= STEPS.length) throw new Refused("bad_frame");
        Adpcm state = new Adpcm();
        state.sample = ByteBuffer.wrap(block).getShort();
        state.index = block[2];
        ByteBuffer pcm = ByteBuffer.allocate((block.length - HEADER) * 4).order(ByteOrder.LITTLE_ENDIAN);
        for (int at = HEADER; at < block.length; at++) {
            state.follow(block[at] >> 4 & 15);
            pcm.putShort((short) state.sample);
            state.follow(block[at] & 15);
            pcm.putShort((short) state.sample);
        }
        return pcm.array();
    }

    private int code(int wanted) {
        int step = STEPS[index];
        int code = wanted < sample ? 8 : 0;
        int left = Math.abs(wanted - sample);
        for (int bit = 4; bit > 0; bit >>= 1, step >>= 1) {
            if (left < step) continue;
            code |= bit;
            left -= step;
        }
        return follow(code);
    }

    private int follow(int code) {
        int step = STEPS[index];
        int size = step >> 3;
        for (int bit = 4; bit > 0; bit >>= 1, step >>= 1) if ((code & bit) > 0) size += step;
        sample = within(sample + ((code & 8) > 0 ? -size : size), Short.MIN_VALUE, Short.MAX_VALUE);
        index = within(index + MOVES[code & 7], 0, STEPS.length - 1);
        return code;
    }

    private static int within(int value, int least, int most) {
        return Math.max(least, Math.min(most, value));
    }
}
