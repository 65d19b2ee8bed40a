package dev.velu.trainer.fetch;

/** Is told how a fetch goes on, by the thread that fetches. */
public interface FetchListener {

    /**
     * A file is begun.
     *
     * @param what what is done, for example {@code cifar-10-binary.tar.gz}
     * @param done bytes that are there already
     * @param total all bytes, or 0 if that is not known
     */
    void begin(String what, long done, long total);

    /** So many bytes of it are there now; called often. */
    void progress(long done);

    /** It is complete, or was given up. */
    void end();

    /** Something worth a line, such as a connection that broke off. */
    void message(String line);
}
