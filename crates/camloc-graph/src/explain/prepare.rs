//! What every look at a model begins with.

use super::error::ExplainError;
use crate::onnx::proto::ModelProto;
use crate::onnx::{check, inline};

/// Refuses what is damaged, and makes the graph flat.
pub(super) fn prepare(model: &mut ModelProto) -> Result<(), ExplainError> {
    check::check(model)?;
    inline::inline(model)?;
    // Functions that are written out may be many more nodes.
    Ok(check::check_size(model)?)
}
