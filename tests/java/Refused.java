/** What was read is not valid, or what should be sent cannot be: with the protocol's code for it. */
final class Refused extends Exception {
    private static final long serialVersionUID = 1;

    final String code;

    Refused(String code) {
        super(code);
        this.code = code;
    }
}
