//! Run lengths of masks as COCO writes them: column by column, background first.

/// A mask as run lengths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runs {
    /// Width of the mask.
    pub width: u32,
    /// Height of the mask.
    pub height: u32,
    /// Lengths in turn of background and object, down each column.
    pub counts: Vec<u32>,
}

impl Runs {
    /// Run lengths that are numbers; `None` where they don't add up to the mask's size.
    pub fn new(width: u32, height: u32, counts: Vec<u32>) -> Option<Runs> {
        let total: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        (total == u64::from(width) * u64::from(height)).then_some(Runs { width, height, counts })
    }

    /// Run lengths in COCO's compressed text: five bits a character from `0` on, the sixth says that more follow;
    /// from the third run on, each is given as the difference from the one before the last.
    pub fn from_text(width: u32, height: u32, text: &str) -> Option<Runs> {
        let mut counts: Vec<u32> = Vec::new();
        let mut letters = text.bytes();
        while let Some(first) = letters.next() {
            let (mut value, mut shift, mut letter) = (0_i64, 0, first);
            loop {
                let bits = i64::from(letter.checked_sub(b'0').filter(|&bits| bits < 64)?);
                value |= (bits & 0x1f) << shift;
                shift += 5;
                if bits & 0x20 == 0 {
                    if bits & 0x10 != 0 {
                        value |= -1 << shift;
                    }
                    break;
                }
                if shift > 35 {
                    return None;
                }
                letter = letters.next()?;
            }
            if counts.len() > 2 {
                value += i64::from(counts[counts.len() - 2]);
            }
            counts.push(u32::try_from(value).ok()?);
        }
        Runs::new(width, height, counts)
    }

    /// The runs of the cells of a raster `[height, width]`, row by row, that are inside. `None` where there are more than
    /// `u32` counts, or the raster has another size.
    pub fn of<T: Copy>(width: u32, height: u32, cells: &[T], inside: impl Fn(T) -> bool) -> Option<Runs> {
        u32::try_from(u64::from(width) * u64::from(height)).ok()?;
        let (columns, rows) = (width as usize, height as usize);
        if cells.len() != columns * rows {
            return None;
        }
        let (mut counts, mut run, mut object) = (Vec::new(), 0, false);
        for x in 0..columns {
            for y in 0..rows {
                if inside(cells[y * columns + x]) != object {
                    counts.push(std::mem::take(&mut run));
                    object = !object;
                }
                run += 1;
            }
        }
        counts.push(run);
        Some(Runs { width, height, counts })
    }

    /// Number of the object's cells.
    pub fn area(&self) -> u64 {
        self.counts.iter().skip(1).step_by(2).map(|&count| u64::from(count)).sum()
    }

    /// COCO's compressed text, as [`Runs::from_text`] reads it.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (i, &count) in self.counts.iter().enumerate() {
            let before = if i > 2 { i64::from(self.counts[i - 2]) } else { 0 };
            let mut value = i64::from(count) - before;
            loop {
                let bits = (value & 0x1f) as u8;
                value >>= 5;
                // The last character's fifth bit is the sign.
                let last = value == if bits & 0x10 == 0 { 0 } else { -1 };
                text.push(char::from(b'0' + if last { bits } else { bits | 0x20 }));
                if last {
                    break;
                }
            }
        }
        text
    }

    /// The runs of object, as ranges of cells counted down each column.
    fn spans(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut at = 0;
        self.counts.iter().enumerate().filter_map(move |(i, &count)| {
            let from = at;
            at += u64::from(count);
            (i % 2 == 1 && count > 0).then_some((from, at))
        })
    }

    /// The box around the object; `None` where there is none.
    pub fn bbox(&self) -> Option<[f64; 4]> {
        let height = u64::from(self.height).max(1);
        let mut bounds: Option<[u64; 4]> = None;
        for (from, to) in self.spans() {
            let (x0, x1) = (from / height, (to - 1) / height + 1);
            let (y0, y1) = if x1 - x0 > 1 { (0, height) } else { (from % height, (to - 1) % height + 1) };
            bounds = Some(match bounds {
                None => [x0, y0, x1, y1],
                Some(b) => [b[0].min(x0), b[1].min(y0), b[2].max(x1), b[3].max(y1)],
            });
        }
        bounds.map(|bounds| bounds.map(|edge| edge as f64))
    }

    /// Sets the object's cells in a raster of the same size, row by row.
    pub fn paint<T: Copy>(&self, raster: &mut [T], value: T) {
        let (width, height) = (self.width as usize, (self.height as usize).max(1));
        for (from, to) in self.spans() {
            for at in from..to {
                let (x, y) = (at as usize / height, at as usize % height);
                if let Some(cell) = raster.get_mut(y * width + x) {
                    *cell = value;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn painted(runs: &Runs) -> String {
        let mut raster = vec![false; (runs.width * runs.height) as usize];
        runs.paint(&mut raster, true);
        raster.iter().map(|&cell| if cell { '#' } else { '.' }).collect()
    }

    #[test]
    fn runs_go_down_the_columns_background_first() {
        let runs = Runs::new(3, 2, vec![1, 3, 2]).unwrap();
        assert_eq!(painted(&runs), ".#.##.");
        assert_eq!(runs.bbox(), Some([0.0, 0.0, 2.0, 2.0]));
        let object_first = Runs::new(3, 2, vec![0, 1, 5]).unwrap();
        assert_eq!(painted(&object_first), "#.....");
        assert_eq!(object_first.bbox(), Some([0.0, 0.0, 1.0, 1.0]));
        assert_eq!(Runs::new(3, 2, vec![6]).unwrap().bbox(), None);
    }

    #[test]
    fn compressed_text_reads_as_pycocotools_wrote_it() {
        let ring = Runs::from_text(6, 5, "632NO010O0124").unwrap();
        assert_eq!(painted(&ring), ".......####..#..#..####.......");
        assert_eq!(ring.bbox(), Some([1.0, 1.0, 5.0, 4.0]));
        let text =
            "`:5Q14L4M2N2N2O0O2N2O000O2O000O2O0000000O2O000000000001N100000001N10001N10001N2N101N2N2N3L4LZ8";
        let ellipse = Runs::from_text(60, 40, text).unwrap();
        let mut raster = vec![false; 2400];
        ellipse.paint(&mut raster, true);
        let cells: Vec<usize> = (0..2400).filter(|&at| raster[at]).collect();
        assert_eq!((cells.len(), cells.iter().sum()), (997, 1_106_670_usize));
        assert_eq!(ellipse.bbox(), Some([8.0, 4.0, 53.0, 33.0]));
    }

    #[test]
    fn what_does_not_add_up_is_refused() {
        assert_eq!(Runs::new(3, 2, vec![1, 3]), None);
        assert_eq!(Runs::new(3, 2, vec![u32::MAX, u32::MAX]), None);
        for text in ["\u{1}", "o", "oooooooooooooooooo0", "é", "P"] {
            assert_eq!(Runs::from_text(3, 2, text), None, "{text:?}");
        }
    }

    #[test]
    fn text_is_written_as_pycocotools_writes_it() {
        let empty_and_full = [(3, 2, "6"), (3, 2, "06")];
        for (width, height, text) in empty_and_full.into_iter().chain([(6, 5, "632NO010O0124")]) {
            assert_eq!(Runs::from_text(width, height, text).unwrap().to_text(), text);
        }
    }

    proptest! {
        #[test]
        fn a_raster_comes_back_from_its_runs_and_their_text(
            (width, cells) in (1usize..40).prop_flat_map(|width| {
                let rows = (0usize..30).prop_flat_map(move |rows| {
                    prop::collection::vec(prop::bool::weighted(0.3), width * rows)
                });
                (Just(width), rows)
            }),
        ) {
            let (width, height) = (width as u32, (cells.len() / width) as u32);
            let runs = Runs::of(width, height, &cells, |cell| cell).unwrap();
            prop_assert_eq!(runs.area(), cells.iter().filter(|&&cell| cell).count() as u64);
            let read = Runs::from_text(width, height, &runs.to_text());
            prop_assert_eq!(read.as_ref(), Some(&runs));
            let mut raster = vec![false; cells.len()];
            runs.paint(&mut raster, true);
            prop_assert_eq!(raster, cells);
        }
    }
}
