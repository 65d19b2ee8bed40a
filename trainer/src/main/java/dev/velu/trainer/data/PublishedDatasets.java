package dev.velu.trainer.data;

import dev.velu.trainer.data.DatasetCatalog.Entry;
import dev.velu.trainer.data.RemoteFile.Digest;
import dev.velu.trainer.data.RemoteFile.Unpacking;
import java.net.URI;
import java.util.List;
import java.util.stream.Stream;

/**
 * The entries of {@link DatasetCatalog}. Sizes and digests are those that the authors, or torchvision and TensorFlow
 * Datasets for them, publish; means and standard deviations are those of the training images.
 */
final class PublishedDatasets {

    private static final List<String> DIGITS = List.of("0", "1", "2", "3", "4", "5", "6", "7", "8", "9");

    private static final String IDX_FILES = "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz,"
            + " t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz (or unpacked) in --data-dir or its folder ";

    static final List<Entry> ENTRIES = List.of(
            new Entry(
                    "shapes",
                    "Shapes",
                    "plane figures, drawn at run time: arrow, circle, crescent, cross, heart, ...",
                    ShapeOutline.values().length,
                    List.of(),
                    32,
                    ShapesOptions.defaults().trainCount(),
                    ShapesOptions.defaults().evalCount(),
                    DatasetFormat.DRAWN,
                    List.of(),
                    "drawn by this program",
                    "none needed",
                    "no files",
                    ShapesDataset.NORMALIZATION,
                    true),
            new Entry(
                    "mnist",
                    "MNIST",
                    "handwritten digits, 28 x 28 gray",
                    10,
                    DIGITS,
                    32,
                    60_000,
                    10_000,
                    DatasetFormat.IDX,
                    idx(
                            List.of(
                                    "https://ossci-datasets.s3.amazonaws.com/mnist/",
                                    "https://storage.googleapis.com/cvdf-datasets/mnist/"),
                            9_912_422,
                            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                            28_881,
                            "d53e105ee54ea40749a09fcbcd1e9432",
                            1_648_877,
                            "9fb629c4189551a2d022fa330f9573f3",
                            4_542,
                            "ec29112dd5afa0611ce80d1b7f02629c"),
                    "Y. LeCun, C. Cortes, C. Burges: The MNIST database of handwritten digits",
                    "CC BY-SA 3.0",
                    IDX_FILES + "mnist",
                    Normalization.gray(0.1307f, 0.3081f),
                    false),
            new Entry(
                    "fashion_mnist",
                    "Fashion-MNIST",
                    "articles of clothing, 28 x 28 gray",
                    10,
                    List.of(
                            "T-shirt/top",
                            "Trouser",
                            "Pullover",
                            "Dress",
                            "Coat",
                            "Sandal",
                            "Shirt",
                            "Sneaker",
                            "Bag",
                            "Ankle boot"),
                    32,
                    60_000,
                    10_000,
                    DatasetFormat.IDX,
                    idx(
                            List.of(
                                    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                                    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/"
                                            + "data/fashion/"),
                            26_421_880,
                            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                            29_515,
                            "25c81989df183df01b3e8a0aad5dffbe",
                            4_422_102,
                            "bef4ecab320f06d8554ea6380940ec79",
                            5_148,
                            "bb300cfdad3c16e7a12a480ee83cd310"),
                    "H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine"
                            + " Learning Algorithms, 2017",
                    "MIT",
                    IDX_FILES + "fashion_mnist",
                    Normalization.gray(0.2860f, 0.3530f),
                    true),
            new Entry(
                    "kmnist",
                    "Kuzushiji-MNIST",
                    "characters of cursive Japanese, 28 x 28 gray",
                    10,
                    List.of("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
                    32,
                    60_000,
                    10_000,
                    DatasetFormat.IDX,
                    idx(
                            List.of(
                                    "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
                                    "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
                            18_165_135,
                            "bdb82020997e1d708af4cf47b453dcf7",
                            29_497,
                            "e144d726b3acfaa3e44228e80efcd344",
                            3_041_136,
                            "5c965bf0a639b31b8f53240b1b52f4d7",
                            5_120,
                            "7320c461ea6c1c855c0b718fb2a4b134"),
                    "T. Clanuwat et al.: Deep Learning for Classical Japanese Literature, 2018",
                    "CC BY-SA 4.0",
                    IDX_FILES + "kmnist",
                    Normalization.gray(0.1918f, 0.3483f),
                    false),
            new Entry(
                    "emnist_balanced",
                    "EMNIST Balanced",
                    "handwritten digits and letters, 28 x 28 gray",
                    47,
                    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"
                            .chars()
                            .mapToObj(Character::toString)
                            .toList(),
                    32,
                    112_800,
                    18_800,
                    DatasetFormat.IDX_COLUMNS,
                    List.of(new RemoteFile(
                            "gzip.zip",
                            addresses(
                                    "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
                                    "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/gzip.zip"),
                            561_753_746,
                            Digest.md5("58c8d27c78d21e728a6bc7b3cc06412e"),
                            Unpacking.only(
                                    "emnist-balanced-train-images-idx3-ubyte.gz",
                                    "emnist-balanced-train-labels-idx1-ubyte.gz",
                                    "emnist-balanced-test-images-idx3-ubyte.gz",
                                    "emnist-balanced-test-labels-idx1-ubyte.gz"))),
                    "G. Cohen, S. Afshar, J. Tapson, A. van Schaik: EMNIST: an extension of MNIST to handwritten"
                            + " letters, 2017",
                    "free to use (NIST)",
                    "emnist-balanced-train-images-idx3-ubyte.gz and the other three emnist-balanced files of gzip.zip"
                            + " in --data-dir or its folder emnist_balanced",
                    Normalization.gray(0.1751f, 0.3332f),
                    false),
            new Entry(
                    "cifar10",
                    "CIFAR-10",
                    "small photographs of animals and vehicles, 32 x 32",
                    10,
                    List.of("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
                    32,
                    50_000,
                    10_000,
                    DatasetFormat.CIFAR,
                    List.of(new RemoteFile(
                            "cifar-10-binary.tar.gz",
                            addresses(
                                    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                                    "https://cave.cs.toronto.edu/kriz/cifar-10-binary.tar.gz"),
                            170_052_171,
                            Digest.sha256("c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
                            Unpacking.all())),
                    "A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009",
                    "none stated; cite the report",
                    "data_batch_1.bin to data_batch_5.bin and test_batch.bin in --data-dir, its folder cifar10, or"
                            + " cifar-10-batches-bin in either",
                    new Normalization(new float[] {0.4914f, 0.4822f, 0.4465f}, new float[] {0.2470f, 0.2435f, 0.2616f}),
                    true),
            new Entry(
                    "cifar100",
                    "CIFAR-100",
                    "small photographs of a hundred kinds of things, 32 x 32",
                    100,
                    Cifar100Classes.NAMES,
                    32,
                    50_000,
                    10_000,
                    DatasetFormat.CIFAR,
                    List.of(new RemoteFile(
                            "cifar-100-binary.tar.gz",
                            addresses(
                                    "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
                                    "https://cave.cs.toronto.edu/kriz/cifar-100-binary.tar.gz"),
                            168_513_733,
                            Digest.sha256("58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"),
                            Unpacking.all())),
                    "A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009",
                    "none stated; cite the report",
                    "train.bin and test.bin in --data-dir, its folder cifar100, or cifar-100-binary in either",
                    new Normalization(new float[] {0.5071f, 0.4867f, 0.4408f}, new float[] {0.2675f, 0.2565f, 0.2761f}),
                    true),
            new Entry(
                    "svhn",
                    "SVHN, cropped digits",
                    "house numbers from Street View, one digit each, 32 x 32",
                    10,
                    DIGITS,
                    32,
                    73_257,
                    26_032,
                    DatasetFormat.SVHN,
                    List.of(
                            new RemoteFile(
                                    "train_32x32.mat",
                                    addresses("http://ufldl.stanford.edu/housenumbers/train_32x32.mat"),
                                    182_040_794,
                                    Digest.md5("e26dedcc434d2e4c54c9b2d4a06d8373"),
                                    null),
                            new RemoteFile(
                                    "test_32x32.mat",
                                    addresses("http://ufldl.stanford.edu/housenumbers/test_32x32.mat"),
                                    64_275_384,
                                    Digest.md5("eb5a983be6a315427106f1b164d9cef3"),
                                    null)),
                    "Y. Netzer et al.: Reading Digits in Natural Images with Unsupervised Feature Learning, 2011",
                    "non-commercial use",
                    "train_32x32.mat and test_32x32.mat in --data-dir or its folder svhn",
                    new Normalization(new float[] {0.4377f, 0.4438f, 0.4728f}, new float[] {0.1980f, 0.2010f, 0.1970f}),
                    false),
            new Entry(
                    "stl10",
                    "STL-10",
                    "photographs of animals and vehicles, few of each, 96 x 96",
                    10,
                    List.of("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"),
                    96,
                    5_000,
                    8_000,
                    DatasetFormat.STL10,
                    List.of(new RemoteFile(
                            "stl10_binary.tar.gz",
                            addresses(
                                    "https://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
                                    "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"),
                            2_640_397_119L,
                            Digest.md5("91f7769df0f17e558f3565bffb0c7dfb"),
                            Unpacking.only("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin"))),
                    "A. Coates, H. Lee, A. Ng: An Analysis of Single-Layer Networks in Unsupervised Feature Learning,"
                            + " 2011",
                    "none stated; images of ImageNet",
                    "train_X.bin, train_y.bin, test_X.bin and test_y.bin in --data-dir, its folder stl10, or"
                            + " stl10_binary in either",
                    new Normalization(new float[] {0.4467f, 0.4398f, 0.4066f}, new float[] {0.2603f, 0.2566f, 0.2713f}),
                    true),
            new Entry(
                    "tiny_imagenet",
                    "Tiny ImageNet",
                    "photographs of two hundred classes of ImageNet, 64 x 64",
                    200,
                    List.of(),
                    64,
                    100_000,
                    10_000,
                    DatasetFormat.TINY_IMAGENET,
                    List.of(new RemoteFile(
                            "tiny-imagenet-200.zip",
                            addresses(
                                    "https://cs231n.stanford.edu/tiny-imagenet-200.zip",
                                    "http://cs231n.stanford.edu/tiny-imagenet-200.zip"),
                            248_100_043,
                            Digest.md5("90528d7ca1a48142e341f4ef8d21d0de"),
                            null)),
                    "Y. Le, X. Yang: Tiny ImageNet Visual Recognition Challenge, 2015",
                    "ImageNet's terms: research and education, not commercial",
                    "tiny-imagenet-200.zip (read in place), or the folder tiny-imagenet-200 of it, in --data-dir or its"
                            + " folder tiny_imagenet",
                    new Normalization(new float[] {0.4802f, 0.4481f, 0.3975f}, new float[] {0.2770f, 0.2691f, 0.2821f}),
                    true),
            new Entry(
                    "eurosat",
                    "EuroSAT",
                    "land use seen by the satellite Sentinel-2, 64 x 64",
                    10,
                    List.of(),
                    64,
                    21_600,
                    5_400,
                    DatasetFormat.CLASS_FOLDERS,
                    List.of(new RemoteFile(
                            "EuroSAT.zip",
                            addresses(
                                    "https://huggingface.co/datasets/torchgeo/eurosat/resolve/"
                                            + "c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip",
                                    "https://madm.dfki.de/files/sentinel/EuroSAT.zip"),
                            94_280_567,
                            Digest.md5("c8fa014336c82ac7804f0398fcb19387"),
                            null)),
                    "P. Helber, B. Bischke, A. Dengel, D. Borth: EuroSAT: A Novel Dataset and Deep Learning Benchmark"
                            + " for Land Use and Land Cover Classification, 2019",
                    "MIT",
                    "EuroSAT.zip (read in place) or EuroSAT_RGB.zip, or the folder 2750 or EuroSAT_RGB of it, in"
                            + " --data-dir or its folder eurosat; a fifth of each class is for evaluation",
                    new Normalization(new float[] {0.3444f, 0.3803f, 0.4078f}, new float[] {0.2037f, 0.1366f, 0.1148f}),
                    true),
            new Entry(
                    "caltech101",
                    "Caltech-101",
                    "photographs of a hundred and one kinds of things, about 300 x 200",
                    101,
                    List.of(),
                    224,
                    6_942,
                    1_735,
                    DatasetFormat.CLASS_FOLDERS,
                    List.of(new RemoteFile(
                            "caltech-101.zip",
                            addresses("https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip"),
                            137_414_764,
                            Digest.md5("3138e1922a9193bfa496528edbbc45d0"),
                            Unpacking.inside("101_ObjectCategories.tar.gz"))),
                    "L. Fei-Fei, R. Fergus, P. Perona: Learning Generative Visual Models from Few Training Examples,"
                            + " 2004",
                    "CC BY 4.0",
                    "the folder 101_ObjectCategories in --data-dir or its folder caltech101; BACKGROUND_Google is left"
                            + " out, a fifth of each class is for evaluation",
                    Normalization.IMAGENET,
                    true),
            corel("corel1k", "Corel-1k", "photographs of ten themes, a hundred each, 384 x 256", 10),
            corel("corel10k", "Corel-10k", "photographs of a hundred themes, a hundred each, 192 x 128", 100),
            new Entry(
                    "folder:PATH",
                    "Class folders",
                    "JPEG, PNG, BMP and GIF files in one folder per class",
                    0,
                    List.of(),
                    224,
                    0,
                    0,
                    DatasetFormat.OWN_FOLDERS,
                    List.of(),
                    "your own",
                    "your own",
                    "PATH/CLASS/..., or PATH/train/CLASS/... and PATH/val/CLASS/... (or validation, or test)",
                    Normalization.IMAGENET,
                    true),
            new Entry(
                    "zip:PATH",
                    "Class folders in a zip archive",
                    "the same in a zip archive, read in place",
                    0,
                    List.of(),
                    224,
                    0,
                    0,
                    DatasetFormat.OWN_FOLDERS,
                    List.of(),
                    "your own",
                    "your own",
                    "the same folders inside the archive PATH",
                    Normalization.IMAGENET,
                    true));

    private PublishedDatasets() {}

    /** The photographs were sold on discs and never had a public address that lasts. */
    private static Entry corel(String name, String title, String description, int classes) {
        return new Entry(
                name,
                title,
                description,
                classes,
                List.of(),
                128,
                80 * classes,
                20 * classes,
                DatasetFormat.NUMBERED,
                List.of(),
                "J. Z. Wang, J. Li, G. Wiederhold: SIMPLIcity (Corel-1k); G.-H. Liu: Content-based image retrieval"
                        + " (Corel-10k); ask the authors or search for the name",
                "Corel's photographs: research only",
                "a folder per class, or all images in one folder as NUMBER.jpg with a hundred numbers per class (0 to"
                        + " 99 or 1 to 100 is the first), in the folder " + name + " of --data-dir, or packed as "
                        + name
                        + ".zip; a fifth of each class is for evaluation",
                Normalization.IMAGENET,
                true);
    }

    private static List<RemoteFile> idx(
            List<String> folders,
            long trainImages,
            String trainImagesMd5,
            long trainLabels,
            String trainLabelsMd5,
            long evalImages,
            String evalImagesMd5,
            long evalLabels,
            String evalLabelsMd5) {
        return List.of(
                idx(folders, "train-images-idx3-ubyte.gz", trainImages, trainImagesMd5),
                idx(folders, "train-labels-idx1-ubyte.gz", trainLabels, trainLabelsMd5),
                idx(folders, "t10k-images-idx3-ubyte.gz", evalImages, evalImagesMd5),
                idx(folders, "t10k-labels-idx1-ubyte.gz", evalLabels, evalLabelsMd5));
    }

    private static RemoteFile idx(List<String> folders, String name, long bytes, String md5) {
        List<URI> addresses =
                folders.stream().map(folder -> URI.create(folder + name)).toList();
        return new RemoteFile(name, addresses, bytes, Digest.md5(md5), null);
    }

    private static List<URI> addresses(String... addresses) {
        return Stream.of(addresses).map(URI::create).toList();
    }
}
