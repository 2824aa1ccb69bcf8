//! The runtime that the tests run models on.

pub(crate) use camloc::runtime::{Options, Session};

/// Makes ONNX Runtime ready, as the program has it.
pub(crate) fn init_runtime() {
    use camloc::assets::{Asset, Store};
    let library = Store::open().unwrap().get(Asset::OnnxRuntime, &mut |_| ()).unwrap();
    camloc::runtime::init(&library).unwrap();
}
