package dev.velu.trainer.data;

/** Images are decoded and drawn without a display, also on a machine that has none. */
final class HeadlessAwt {

    private HeadlessAwt() {}

    /** To be called before the first use of AWT; leaves alone what the user has set. */
    static void choose() {
        if (System.getProperty("java.awt.headless") == null) {
            System.setProperty("java.awt.headless", "true");
        }
    }
}
