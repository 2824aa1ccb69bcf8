//! Pixels as polygons along their edges.

use std::collections::HashSet;

use super::super::boxes::BoundingBox;

/// The polygons around the pixels within `bounds` for which `inside` holds, cut from top to bottom through holes, so that
/// none is left.
pub(super) fn polygons(bounds: BoundingBox, inside: impl Fn(u32, u32) -> bool) -> Vec<Vec<(u32, u32)>> {
    let mut cuts = vec![bounds.x0];
    cuts.extend(cuts_through(holes(&rings(bounds, &inside))));
    cuts.push(bounds.x1);
    let strips = cuts.windows(2).map(|ends| BoundingBox { x0: ends[0], x1: ends[1], ..bounds });
    strips.flat_map(|strip| rings(strip, &inside)).map(|ring| ring.corners).collect()
}

/// A closed line along the edges of pixels.
struct Ring {
    corners: Vec<(u32, u32)>,
    /// Whether what it surrounds is outside.
    is_hole: bool,
}

/// All rings around pixels that share edges, with the pixels on their right hand.
fn rings(bounds: BoundingBox, inside: &impl Fn(u32, u32) -> bool) -> Vec<Ring> {
    let BoundingBox { x0, y0, x1, y1 } = bounds;
    // From the corner at (x, y), the pixel to its lower right is at (x, y).
    let holds = |x: i64, y: i64| {
        let (columns, rows) = (i64::from(x0)..i64::from(x1), i64::from(y0)..i64::from(y1));
        columns.contains(&x) && rows.contains(&y) && inside(x as u32, y as u32)
    };
    // Each ring passes the upper edge of a pixel from left to right.
    let mut passed: HashSet<(i64, i64)> = HashSet::new();
    let mut rings = Vec::new();
    for y in i64::from(y0)..i64::from(y1) {
        for x in i64::from(x0)..i64::from(x1) {
            if holds(x, y) && !holds(x, y - 1) && !passed.contains(&(x, y)) {
                rings.push(follow((x, y), &holds, &mut passed));
            }
        }
    }
    rings
}

/// The ring that begins with the upper edge of the pixel at `start`.
fn follow(start: (i64, i64), holds: &impl Fn(i64, i64) -> bool, passed: &mut HashSet<(i64, i64)>) -> Ring {
    let mut corners = vec![(start.0 as u32, start.1 as u32)];
    let (mut x, mut y) = start;
    let (mut dx, mut dy) = (1, 0);
    let mut doubled_area = 0;
    loop {
        if (dx, dy) == (1, 0) {
            passed.insert((x, y));
        }
        doubled_area += x * dy - y * dx;
        (x, y) = (x + dx, y + dy);
        let (left, right) = (ahead((x, y), (dx, dy), -1), ahead((x, y), (dx, dy), 1));
        let before = (dx, dy);
        if !holds(right.0, right.1) {
            (dx, dy) = (-dy, dx);
        } else if holds(left.0, left.1) {
            (dx, dy) = (dy, -dx);
        }
        if (x, y) == start && (dx, dy) == (1, 0) {
            break;
        }
        if (dx, dy) != before {
            corners.push((x as u32, y as u32));
        }
    }
    Ring { corners, is_hole: doubled_area < 0 }
}

/// The pixel ahead of a corner in a direction, to the left (-1) or right (1) of the line.
fn ahead((x, y): (i64, i64), (dx, dy): (i64, i64), side: i64) -> (i64, i64) {
    // Twice the way from the corner to the pixel's centre.
    let (to_x, to_y) = (dx - side * dy, dy + side * dx);
    (x + (to_x - 1) / 2, y + (to_y - 1) / 2)
}

/// The first and the last edge of columns of each hole.
fn holes(rings: &[Ring]) -> Vec<(u32, u32)> {
    let holes = rings.iter().filter(|ring| ring.is_hole);
    let columns = |ring: &Ring| {
        let columns = ring.corners.iter().map(|corner| corner.0);
        Some((columns.clone().min()?, columns.max()?))
    };
    holes.filter_map(columns).collect()
}

/// The fewest columns such that one passes each hole.
fn cuts_through(mut holes: Vec<(u32, u32)>) -> Vec<u32> {
    holes.sort_unstable_by_key(|hole| hole.1);
    let mut cuts: Vec<u32> = Vec::new();
    for (first, last) in holes {
        if cuts.last().is_none_or(|&cut| cut < first) {
            // Along its right end: left of the cut the hole is open to it.
            cuts.push(last);
        }
    }
    cuts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn polygons_of(cells: &[bool], width: usize) -> Vec<Vec<(u32, u32)>> {
        let bounds = BoundingBox { x0: 0, y0: 0, x1: width as u32, y1: (cells.len() / width) as u32 };
        polygons(bounds, |x, y| cells[y as usize * width + x as usize])
    }

    fn picture(rows: &[&str]) -> Vec<bool> {
        rows.iter().flat_map(|row| row.bytes()).map(|byte| byte == b'#').collect()
    }

    #[test]
    fn a_block_is_a_box_and_a_ring_is_two_pieces() {
        assert_eq!(polygons_of(&picture(&["##", "##"]), 2), [[(0, 0), (2, 0), (2, 2), (0, 2)]]);
        let ring = polygons_of(&picture(&["####", "#..#", "####"]), 4);
        let left = vec![(0, 0), (3, 0), (3, 1), (1, 1), (1, 2), (3, 2), (3, 3), (0, 3)];
        assert_eq!(ring, [left, vec![(3, 0), (4, 0), (4, 3), (3, 3)]]);
        assert_eq!(polygons_of(&picture(&["#.", ".#"]), 2).len(), 2);
    }

    /// How many of the polygons a pixel's centre is in, by the even-odd rule.
    fn covers(polygons: &[Vec<(u32, u32)>], x: usize, y: usize) -> usize {
        let centre = (x as f64 + 0.5, y as f64 + 0.5);
        let is_in = |corners: &Vec<(u32, u32)>| {
            let edges = corners.iter().zip(corners.iter().cycle().skip(1));
            let crossed = edges.filter(|(from, to)| {
                let (low, high) = (f64::from(from.1.min(to.1)), f64::from(from.1.max(to.1)));
                from.0 == to.0 && f64::from(from.0) > centre.0 && low < centre.1 && centre.1 < high
            });
            crossed.count() % 2 == 1
        };
        polygons.iter().filter(|corners| is_in(corners)).count()
    }

    proptest! {
        #[test]
        fn polygons_cover_just_the_pixels_and_each_once(
            (width, cells) in (1usize..14, 0.1..0.9f64).prop_flat_map(|(width, share)| {
                let rows = (1usize..12).prop_flat_map(move |rows| {
                    prop::collection::vec(prop::bool::weighted(share), width * rows)
                });
                (Just(width), rows)
            }),
        ) {
            let polygons = polygons_of(&cells, width);
            for (at, &inside) in cells.iter().enumerate() {
                prop_assert_eq!(covers(&polygons, at % width, at / width), usize::from(inside), "at {}", at);
            }
            for corners in polygons {
                prop_assert!(corners.len() >= 4);
                let ends = corners.iter().zip(corners.iter().cycle().skip(1));
                let doubled: i64 = ends.map(|(a, b)| i64::from(a.0) * i64::from(b.1) - i64::from(b.0) * i64::from(a.1)).sum();
                prop_assert!(doubled > 0, "no polygon is a hole");
            }
        }
    }
}
