package dev.velu.trainer.data;

import dev.velu.trainer.data.DatasetCatalog.Entry;

/** The check of labels that every binary format needs. */
final class Labels {

    private Labels() {}

    /**
     * @param first the label of class 0
     * @throws DataException if {@code label} is none of the set
     */
    static void check(int label, int first, Entry entry, String file, int index, SetFiles files) {
        int last = first + entry.classes() - 1;
        if (label < first || label > last) {
            throw new DataException(QuotedName.of(file) + " has label " + label + " at image " + index + ", expected "
                    + first + " to " + last + ": it is damaged or another file; " + files.fetchAgain());
        }
    }

    /** @throws DataException if there are not as many labels as images */
    static void checkCount(int images, String imageFile, int labels, String labelFile, SetFiles files) {
        if (images != labels) {
            throw new DataException(QuotedName.of(imageFile) + " has " + images + " images but "
                    + (imageFile.equals(labelFile) ? "" : QuotedName.of(labelFile) + " has ") + labels + " labels; "
                    + files.fetchAgain());
        }
    }
}
