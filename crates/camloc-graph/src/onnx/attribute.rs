//! Reading the attributes of a node: by name, with the default that the standard gives.

use super::proto::*;

impl NodeProto {
    /// The attribute of this name.
    pub fn find_attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.attribute.iter().find(|attribute| attribute.name() == name)
    }

    /// An integer attribute.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.find_attribute(name)?.i
    }

    /// An integer attribute, or what the standard says for one left out.
    pub fn int_or(&self, name: &str, default: i64) -> i64 {
        self.int(name).unwrap_or(default)
    }

    /// A list of integers.
    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        self.find_attribute(name).map(|attribute| &attribute.ints[..])
    }

    /// A float attribute, or what the standard says for one left out.
    pub fn float_or(&self, name: &str, default: f32) -> f32 {
        self.find_attribute(name).and_then(|attribute| attribute.f).unwrap_or(default)
    }

    /// A text attribute; `None` also when it is not UTF-8.
    pub fn string(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.find_attribute(name)?.s.as_deref()?).ok()
    }

    /// A tensor attribute.
    pub fn tensor(&self, name: &str) -> Option<&TensorProto> {
        self.find_attribute(name)?.t.as_deref()
    }

    /// The name of an input; `None` when it is left out.
    pub fn input_at(&self, index: usize) -> Option<&str> {
        self.input.get(index).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// The name of an output; `None` when it is left out.
    pub fn output_at(&self, index: usize) -> Option<&str> {
        self.output.get(index).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// The operator, if it is one of the default domain, else `""`.
    pub fn standard_op(&self) -> &str {
        if is_default_domain(self.domain()) { self.op_type() } else { "" }
    }

    /// The graphs within this node (`If`, `Loop`, `Scan`).
    pub fn subgraphs(&self) -> impl Iterator<Item = &GraphProto> {
        self.attribute
            .iter()
            .flat_map(|attribute| attribute.g.as_deref().into_iter().chain(&attribute.graphs))
    }
}

/// Whether a domain is the standard's own, which has two names.
pub(super) fn is_default_domain(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}
