//! Tests of what an ordinary user may not do: root may, so that it must give up its rights first.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::lab::Lab;

/// Root reads what nobody may: then the test of this name is started again without that right, and
/// this says that it is done.
pub(crate) fn is_done_without_rights(name: &str) -> bool {
    const AGAIN: &str = "LAB_WITHOUT_RIGHTS";
    let lab = Lab::new();
    lab.write("closed", "x");
    fs::set_permissions(lab.path("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(lab.path("closed")).is_err() {
        return false;
    }
    assert!(std::env::var_os(AGAIN).is_none(), "root cannot give up its rights here");
    let mut again = Command::new("setpriv");
    again.args(["--bounding-set", "-dac_override,-dac_read_search"]);
    again.arg(std::env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]);
    assert!(again.env(AGAIN, "1").status().unwrap().success(), "see above");
    true
}
