package dev.velu.trainer.data;

/** How the files of a data set are laid out, and so which reader opens it. */
public enum DatasetFormat {
    /** No files: drawn at run time. */
    DRAWN("none"),
    /** The user's own class folders or zip archive. */
    OWN_FOLDERS("class folders"),
    /** Four IDX files of gray images and labels, rows first. */
    IDX("IDX"),
    /** The same with the pixels of every column side by side. */
    IDX_COLUMNS("IDX, columns first"),
    /** Records of a label and three planes of pixels. */
    CIFAR("CIFAR binary"),
    /** A MATLAB file per split with the arrays X and y. */
    SVHN("MATLAB 5"),
    /** Planes of pixels, columns first, and a file of labels, per split. */
    STL10("STL-10 binary"),
    /** Class folders to train on, one folder with a list of classes to evaluate on. */
    TINY_IMAGENET("class folders and a list"),
    /** A folder of images per class, without splits. */
    CLASS_FOLDERS("class folders"),
    /** The same, or one folder of numbered images, a hundred for each class. */
    NUMBERED("class folders or numbered files");

    private final String title;

    DatasetFormat(String title) {
        this.title = title;
    }

    /** What to call it for people. */
    public String title() {
        return title;
    }
}
