//! A table in parts and compressed files is a table like any other, and a part more is other data.

use std::fmt::Write;

use crate::lab::Lab;

fn rows(from: u32) -> String {
    let mut rows = "id,usage\n".to_owned();
    (from..from + 50).for_each(|row| writeln!(rows, "k{row},{}", row * 31 % 97).unwrap());
    rows
}

#[test]
fn a_directory_of_parts_is_profiled_as_one_table_and_a_new_part_is_seen() {
    let lab = Lab::empty();
    let part = |month: u32| lab.write(&format!("rows/month={month}/0.csv"), &rows(month * 50));
    (1..=5).for_each(part);
    lab.write(
        "pipeline.toml",
        "name = \"parts\"\nstages = [\"profile\", \"split\"]\n[data]\nrows = \"rows\"\n",
    );
    lab.write("stages/profile.toml", "kind = \"profile\"\n[inputs]\ntable = \"data.rows\"\n");
    lab.write(
        "stages/split.toml",
        "kind = \"split\"\n[inputs]\ntable = \"data.rows\"\n[params]\nmethod = \"time\"\n\
         time = \"month\"\n",
    );
    let told = lab.call(&["run"]).expect(0).tells("250 rows, 3 columns").err;
    assert!(told.contains("train from 1 to 3") && told.contains("test from 5 to 5"), "{told}");
    assert_eq!(lab.executed(&[]), [""; 0]);
    part(6);
    assert_eq!(lab.executed(&[]), ["profile", "split"]);
    assert_eq!(lab.json("outputs/profile/profile.json")["rows"], 300);
    lab.call(&["verify"]).expect(0);
    lab.write("rows/month=7/0.csv", "id,use\nx,1\n");
    lab.call(&["run"]).expect(1).tells("month=7/0.csv has the columns id, use, month");
}
