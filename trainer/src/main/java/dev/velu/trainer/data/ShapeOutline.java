package dev.velu.trainer.data;

import java.awt.Shape;
import java.awt.geom.Area;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Path2D;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * The classes of the data set {@code shapes}: outlines in the unit disc. Each is its own mirror image after some
 * rotation, and no two are alike under rotation, so images may be flipped and turned.
 */
enum ShapeOutline {
    ARROW(polygon(-0.95, -0.22, 0.1, -0.22, 0.1, -0.68, 1, 0, 0.1, 0.68, 0.1, 0.22, -0.95, 0.22)),
    CIRCLE(disc(0, 0, 0.95)),
    CRESCENT(without(disc(0, 0, 1), disc(0.5, 0, 0.82))),
    CROSS(polygon(
            -0.27, -0.95, 0.27, -0.95, 0.27, -0.27, 0.95, -0.27, 0.95, 0.27, 0.27, 0.27, 0.27, 0.95, -0.27, 0.95, -0.27,
            0.27, -0.95, 0.27, -0.95, -0.27, -0.27, -0.27)),
    HEART(heart()),
    HOURGLASS(polygon(-0.72, -0.72, 0.72, -0.72, 0.1, 0, 0.72, 0.72, -0.72, 0.72, -0.1, 0)),
    RING(without(disc(0, 0, 1), disc(0, 0, 0.58))),
    SQUARE(polygon(-0.72, -0.72, 0.72, -0.72, 0.72, 0.72, -0.72, 0.72)),
    STAR(star()),
    TRIANGLE(polygon(0, -1, 0.866, 0.5, -0.866, 0.5));

    /** Label {@code i} is the outline of ordinal {@code i}. */
    static final List<String> CLASS_NAMES = Stream.of(values())
            .map(outline -> outline.name().toLowerCase(Locale.ROOT))
            .toList();

    private final Shape shape;

    ShapeOutline(Shape shape) {
        this.shape = shape;
    }

    /** The outline, centred at the origin, within radius 1. Not to be changed. */
    Shape shape() {
        return shape;
    }

    private static Shape polygon(double... xy) {
        Path2D path = new Path2D.Double();
        path.moveTo(xy[0], xy[1]);
        for (int i = 2; i < xy.length; i += 2) {
            path.lineTo(xy[i], xy[i + 1]);
        }
        path.closePath();
        return path;
    }

    private static Shape disc(double x, double y, double radius) {
        return new Ellipse2D.Double(x - radius, y - radius, 2 * radius, 2 * radius);
    }

    private static Shape without(Shape shape, Shape removed) {
        Area area = new Area(shape);
        area.subtract(new Area(removed));
        return new Path2D.Double(area);
    }

    private static Shape star() {
        double[] xy = new double[20];
        for (int i = 0; i < 10; i++) {
            double radius = i % 2 == 0 ? 1 : 0.42;
            double angle = Math.PI * i / 5;
            xy[2 * i] = radius * StrictMath.sin(angle);
            xy[2 * i + 1] = -radius * StrictMath.cos(angle);
        }
        return polygon(xy);
    }

    private static Shape heart() {
        Path2D path = new Path2D.Double();
        path.moveTo(0, 0.95);
        path.curveTo(-0.55, 0.5, -0.95, 0.15, -0.95, -0.3);
        path.curveTo(-0.95, -0.95, -0.2, -1, 0, -0.4);
        path.curveTo(0.2, -1, 0.95, -0.95, 0.95, -0.3);
        path.curveTo(0.95, 0.15, 0.55, 0.5, 0, 0.95);
        path.closePath();
        return path;
    }
}
