//! A class's map on the working grid, and whose its cells are.

use super::super::GRID;
use super::super::borders::Cell;
use super::super::placement::Placement;
use super::guided::Guide;

/// Heat and owners, each `[GRID, GRID]`; keeps its buffers.
#[derive(Debug, Default)]
pub(super) struct Field {
    /// 0..1; what exceeds the level and is nobody's is 0.
    pub(super) heat: Vec<f32>,
    /// Labels as in [`Segmentation::labels`](super::Segmentation::labels).
    pub(super) owners: Vec<u8>,
    /// What heat must exceed.
    pub(super) level: f32,
    /// Where there are owners: `[x0, y0, x1, y1]`, the last two exclusive.
    pub(super) bounds: [usize; 4],
    /// Cells to be looked at.
    open: Vec<usize>,
    /// The heat of the window.
    guided: Vec<f32>,
    /// Cells that were looked at.
    seen: Vec<bool>,
    /// Cells of small pieces.
    specks: Vec<usize>,
}

impl Field {
    /// A field of this heat, none of which is anybody's.
    pub(super) fn begin(&mut self, heat: &[f32], level: f32) {
        self.level = level;
        self.heat.clear();
        self.heat.extend_from_slice(heat);
        self.owners.clear();
        self.owners.resize(GRID * GRID, 0);
    }

    /// Gives `label` the component of cells above the level, within the window, that a cell is part of.
    pub(super) fn own(&mut self, (x, y): Cell, label: u8, place: Placement) {
        let (columns, rows) = place.window();
        let Field { heat, owners, level, open, .. } = self;
        open.clear();
        open.push(y as usize * GRID + x as usize);
        while let Some(at) = open.pop() {
            let (x, y) = (at % GRID, at / GRID);
            if owners[at] == 0 && heat[at] > *level && columns.contains(&x) && rows.contains(&y) {
                owners[at] = label;
                open.extend(neighbours(at));
            }
        }
    }

    /// What exceeds the level and is nobody's was not found.
    pub(super) fn forget_the_rest(&mut self) {
        for (heat, &owner) in self.heat.iter_mut().zip(&self.owners) {
            if owner == 0 && *heat > self.level {
                *heat = 0.0;
            }
        }
    }

    /// Lowers owned cells to what fits the picture's colours. An owner of whom nothing would be left stays as it is.
    pub(super) fn follow(&mut self, guide: &mut Guide, place: Placement) {
        let Field { heat, owners, level, guided, .. } = self;
        let (columns, rows) = place.window();
        let cells = || rows.clone().flat_map(|y| columns.clone().map(move |x| y * GRID + x));
        guided.clear();
        guided.extend(cells().map(|at| heat[at]));
        guide.filter(guided);
        let mut remains = [false; 256];
        for (at, &fit) in cells().zip(&*guided) {
            remains[usize::from(owners[at])] |= heat[at].min(fit) > *level;
        }
        remains[0] = false;
        for (at, &fit) in cells().zip(&*guided) {
            if remains[usize::from(owners[at])] {
                heat[at] = heat[at].min(fit);
            }
        }
    }

    /// Drops an owner's pieces of less than `least` cells, unless it has no other.
    pub(super) fn drop_specks(&mut self, least: f32) {
        let Field { heat, owners, level, open: piece, seen, specks, .. } = self;
        specks.clear();
        seen.clear();
        seen.extend(heat.iter().zip(&*owners).map(|(&heat, &owner)| owner == 0 || heat <= *level));
        let mut remains = [false; 256];
        for start in 0..seen.len() {
            if std::mem::replace(&mut seen[start], true) {
                continue;
            }
            piece.clear();
            piece.push(start);
            let mut next = 0;
            while let Some(&at) = piece.get(next) {
                next += 1;
                piece.extend(neighbours(at).filter(|&near| !std::mem::replace(&mut seen[near], true)));
            }
            if piece.len() as f32 >= least {
                remains[usize::from(owners[start])] = true;
            } else {
                specks.extend_from_slice(piece);
            }
        }
        for &at in &*specks {
            if remains[usize::from(owners[at])] {
                heat[at] = 0.0;
            }
        }
    }

    /// Owners get the cells around theirs: heat between two cells exceeds the level up to there.
    pub(super) fn grow(&mut self) {
        let Field { owners, open, bounds, .. } = self;
        open.clear();
        *bounds = [GRID, GRID, 0, 0];
        for at in 0..owners.len() {
            if owners[at] > 0 {
                for near in neighbours(at) {
                    let (x, y) = (near % GRID, near / GRID);
                    let [x0, y0, x1, y1] = *bounds;
                    *bounds = [x0.min(x), y0.min(y), x1.max(x + 1), y1.max(y + 1)];
                    if owners[near] == 0 {
                        open.push(near << 8 | usize::from(owners[at]));
                    }
                }
            }
        }
        for &grown in &*open {
            let owner = &mut owners[grown >> 8];
            if *owner == 0 {
                *owner = (grown & 0xff) as u8;
            }
        }
    }
}

/// The cells around a cell, itself included.
fn neighbours(at: usize) -> impl Iterator<Item = usize> {
    let (x, y) = (at % GRID, at / GRID);
    let near = |at: usize| at.saturating_sub(1)..(at + 2).min(GRID);
    near(y).flat_map(move |y| near(x).map(move |x| y * GRID + x))
}
