import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;

/** One WebSocket, control or media. What happens on it comes through one queue, so that one thread reads all roads. */
final class Road implements WebSocket.Listener {
    /** What happened: Opened, Closed, a String (text) or a byte[] (binary). */
    record Arrival(Road road, Object what) {}

    record Opened() {}

    /** `status` is the handshake's HTTP status, 0 when there was none; `code` 1006 means no close frame. */
    record Closed(int code, boolean isHandshake, int status) {}

    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    private final BlockingQueue<Arrival> arrivals;
    private final StringBuilder text = new StringBuilder();
    private final ByteArrayOutputStream binary = new ByteArrayOutputStream();
    private WebSocket socket;

    private Road(BlockingQueue<Arrival> arrivals) {
        this.arrivals = arrivals;
    }

    /** Begin to connect, offering `entries` as subprotocols; Opened or Closed will say how it went. */
    static Road open(URI url, List<String> entries, BlockingQueue<Arrival> arrivals) {
        Road road = new Road(arrivals);
        var others = entries.subList(1, entries.size()).toArray(String[]::new);
        var builder = CLIENT.newWebSocketBuilder().subprotocols(entries.get(0), others);
        builder.buildAsync(url, road).whenComplete((socket, failure) -> road.connected(failure));
        return road;
    }

    private void connected(Throwable failure) {
        if (failure == null) return; // onOpen has said it
        Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
        int status = cause instanceof WebSocketHandshakeException refused ? refused.getResponse().statusCode() : 0;
        tell(new Closed(1006, true, status));
    }

    boolean isOpen() {
        return socket != null;
    }

    /** Send a message. On a connection that is gone it goes nowhere, and Closed comes. */
    void send(Map<String, Object> message) {
        sent(() -> socket.sendText(Json.write(message), true).join());
    }

    void send(Wire.Frame frame) {
        sent(() -> socket.sendBinary(ByteBuffer.wrap(frame.write()), true).join());
    }

    private static void sent(Runnable sending) {
        try {
            sending.run();
        } catch (CompletionException gone) {
            return;
        }
    }

    /** Close without a word, as a network does that goes away. Closed comes for this, too. */
    void cut() {
        socket.abort();
        tell(new Closed(1006, false, 0));
    }

    @Override
    public void onOpen(WebSocket opened) {
        socket = opened;
        tell(new Opened());
        opened.request(1);
    }

    @Override
    public CompletionStage<?> onText(WebSocket from, CharSequence part, boolean isLast) {
        text.append(part);
        if (isLast) {
            tell(text.toString());
            text.setLength(0);
        }
        from.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onBinary(WebSocket from, ByteBuffer part, boolean isLast) {
        byte[] bytes = new byte[part.remaining()];
        part.get(bytes);
        binary.writeBytes(bytes);
        if (isLast) {
            tell(binary.toByteArray());
            binary.reset();
        }
        from.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket from, int code, String reason) {
        tell(new Closed(code, false, 0));
        return null;
    }

    @Override
    public void onError(WebSocket from, Throwable error) {
        tell(new Closed(1006, false, 0));
    }

    private void tell(Object what) {
        arrivals.add(new Arrival(this, what));
    }
}
