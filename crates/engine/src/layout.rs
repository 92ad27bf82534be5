//! Where the inputs of a program stand in its working directory.
//!
//! Pure, because a program is told these paths and may write them out, so that they are part of the
//! recipe: data stand where they stand in the project, data from elsewhere at `inputs/PORT/NAME`,
//! outputs of stages at `inputs/PORT.EXT`, and in a fan-in at `inputs/PORT/LABEL.EXT`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::data::inside;
use crate::graph::{Graph, Plug, Port};
use crate::kind::Arity;
use crate::recipe::World;

/// The directory of inputs that have no place of their own in the project.
const INPUTS: &str = "inputs";

/// Where what is plugged into a port stands, relative to the working directory, in its order.
pub(crate) fn places(graph: &Graph, port: &Port, world: &impl World) -> Vec<PathBuf> {
    let labels: Vec<_> = port.plugs.iter().map(|plug| label(graph, plug)).collect();
    let mut n_of: BTreeMap<&str, usize> = BTreeMap::new();
    for label in &labels {
        *n_of.entry(label).or_default() += 1;
    }
    let place = |(plug, own): (&Plug, &String)| match plug {
        Plug::Data { path, .. } => {
            let base = world.base(path);
            let name = base.file_name().unwrap_or(port.name.as_ref());
            let outside = || Path::new(INPUTS).join(&port.name).join(name);
            inside(&base).unwrap_or_else(outside)
        }
        Plug::Stage { stage, output } => {
            let from = graph.stage(*stage);
            let output = &from.outputs[*output];
            let extension = Path::new(&output.path).extension();
            let extension = extension.map_or(String::new(), |e| format!(".{}", e.display()));
            if port.arity != Arity::Many {
                return Path::new(INPUTS).join(format!("{}{extension}", port.name));
            }
            // Two outputs of one stage, or variants of the same name, are told apart in full.
            let is_alone = n_of.get(own.as_str()) == Some(&1);
            let full = || format!("{}.{}", from.name, output.name);
            let own = if is_alone { own.clone() } else { full() };
            Path::new(INPUTS).join(&port.name).join(format!("{own}{extension}"))
        }
    };
    port.plugs.iter().zip(&labels).map(place).collect()
}

/// The same as a recipe has it: a pattern keeps its wildcards, because what stands for it are its
/// files and not their directory.
pub(crate) fn told(graph: &Graph, port: &Port, world: &impl World) -> Vec<PathBuf> {
    let mut places = places(graph, port, world);
    for (place, plug) in places.iter_mut().zip(&port.plugs) {
        if let Plug::Data { path, .. } = plug
            && let Ok(rest) = path.strip_prefix(world.base(path))
            && !rest.as_os_str().is_empty()
        {
            place.push(rest);
        }
    }
    places
}

fn label(graph: &Graph, plug: &Plug) -> String {
    match plug {
        Plug::Data { name, .. } => name.clone(),
        Plug::Stage { stage, .. } => graph.stage(*stage).label().to_owned(),
    }
}
