//! Which provider runs which node of a loaded model.

use std::ffi::{CStr, c_char};

use ort::AsPointer;
use ort::session::Session;

use super::RuntimeError;
use super::provider::shown;

/// The setting of a session that makes it remember.
pub(super) const RECORD: &str = "session.record_ep_graph_assignment_info";

/// One node of a loaded model, after ONNX Runtime's first simplifications.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// The provider that runs it, as users know it: `CUDA`.
    pub provider: String,
    /// The operator: `Conv`.
    pub operator: String,
    /// Its name in the graph; may be empty.
    pub name: String,
}

/// The nodes of a session that was built with [`RECORD`], provider by provider.
#[allow(unsafe_code)] // `ort` has no safe call for it
pub(super) fn placed(session: &Session) -> Result<Vec<Node>, RuntimeError> {
    let api = ort::api();
    let mut nodes = Vec::new();
    // SAFETY: the session lives, and owns all that is asked for here: the arrays, which have as many members as it says,
    // and the strings, which end in zero and are copied.
    unsafe {
        let (mut groups, mut count) = (std::ptr::null(), 0);
        check((api.Session_GetEpGraphAssignmentInfo)(session.ptr(), &mut groups, &mut count))?;
        for &group in members(groups, count) {
            let provider = text(|out| (api.EpAssignedSubgraph_GetEpName)(group, out))?;
            let (mut list, mut count) = (std::ptr::null(), 0);
            check((api.EpAssignedSubgraph_GetNodes)(group, &mut list, &mut count))?;
            for &node in members(list, count) {
                nodes.push(Node {
                    provider: shown(&provider),
                    operator: text(|out| (api.EpAssignedNode_GetOperatorType)(node, out))?,
                    name: text(|out| (api.EpAssignedNode_GetName)(node, out))?,
                });
            }
        }
    }
    Ok(nodes)
}

#[allow(unsafe_code)]
/// The members of an array of the library.
///
/// # Safety
/// `first` points to `count` members that live as long as the result is used, or `count` is 0.
unsafe fn members<'a, T>(first: *const T, count: usize) -> &'a [T] {
    // SAFETY: as above; a slice may not begin at null, even an empty one.
    if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(first, count) } }
}

#[allow(unsafe_code)]
/// A copy of the text that the library answers with.
///
/// # Safety
/// `ask` sets its argument to a text that ends in zero, or leaves it null.
unsafe fn text(
    ask: impl FnOnce(*mut *const c_char) -> ort::sys::OrtStatusPtr,
) -> Result<String, RuntimeError> {
    let mut found = std::ptr::null();
    check(ask(&mut found))?;
    // SAFETY: as above.
    Ok(if found.is_null() {
        String::new()
    } else {
        unsafe { CStr::from_ptr(found) }.to_string_lossy().into_owned()
    })
}

fn check(status: ort::sys::OrtStatusPtr) -> Result<(), RuntimeError> {
    #[allow(unsafe_code)]
    // SAFETY: the status comes from the library, and is used once.
    unsafe { ort::Error::result_from_status(status) }.map_err(RuntimeError::other)
}
