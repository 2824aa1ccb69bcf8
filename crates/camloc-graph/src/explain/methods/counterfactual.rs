//! Counterfactual maps (Selvaraju et al. 2017, section 3.3): Grad-CAM of the negative gradient, which is high where
//! the picture speaks against the class.

use super::super::error::ExplainError;
use super::super::features::Maps;
use super::super::layers::Layer;
use super::super::subject::Subject;
use super::grad_cam;

/// Appends the maps of the chosen classes.
pub(super) fn append(subject: &mut Subject<'_, '_>, layer: &Layer) -> Result<Maps, ExplainError> {
    let maps = grad_cam::append(subject, layer)?;
    Ok(Maps { tensor: subject.graph.op("Neg", "camloc.against", &[&maps.tensor], vec![]), ..maps })
}
