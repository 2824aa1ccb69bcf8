//! Polygons on a raster.

/// Sets the cells of a raster `width` wide whose centres lie inside, by the even-odd rule; corners are in cells.
pub(super) fn fill<T: Copy>(corners: &[(f64, f64)], width: usize, cells: &mut [T], value: T) {
    let mut crossings: Vec<f64> = Vec::new();
    for (y, row) in cells.chunks_exact_mut(width.max(1)).enumerate() {
        let centre = y as f64 + 0.5;
        crossings.clear();
        for (i, &(x0, y0)) in corners.iter().enumerate() {
            let (x1, y1) = corners[(i + 1) % corners.len()];
            if (y0 <= centre) != (y1 <= centre) {
                crossings.push(x0 + (centre - y0) / (y1 - y0) * (x1 - x0));
            }
        }
        crossings.sort_by(f64::total_cmp);
        for pair in crossings.chunks_exact(2) {
            // The first cell whose centre is not left of the edge.
            let column = |x: f64| ((x - 0.5).ceil().max(0.0) as usize).min(width);
            let (from, to) = (column(pair[0]), column(pair[1]));
            if from < to {
                row[from..to].fill(value);
            }
        }
    }
}
