//! The hot spot as a picture: throughput above, waits below, over the number of threads.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::{
    ChartBuilder, Circle, Color, DrawingArea, IntoDrawingArea, IntoLogRange, LineSeries, PathElement,
    RGBColor, SVGBackend, WHITE,
};

use crate::load::{Load, Point};
use crate::outcome::Result;
use crate::report::human;

const SIZE: (u32, u32) = (760, 600);
const FONT: (&str, u32) = ("sans-serif", 13);
const CAPTION: (&str, u32) = ("sans-serif", 16);
const LINES: [(Load, &str, RGBColor); 2] = [
    (Load::HotSpot, "read, add, write", RGBColor(0x1f, 0x5f, 0xa8)),
    (Load::HotSpotYielding, "with a yield in between", RGBColor(0xc0, 0x5a, 0x1c)),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws the points of the hot spot.
pub(crate) fn hot_spot(file: &Path, points: &[Point]) -> Result<()> {
    let area = SVGBackend::new(file, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let (above, below) = area.split_vertically(SIZE.1 / 2);
    throughput(&above, points)?;
    waits(&below, points)?;
    area.present()?;
    Ok(())
}

fn throughput(area: &Area<'_>, points: &[Point]) -> Result<()> {
    let (threads, most) = bounds(points, |point| point.per_second);
    let mut chart = ChartBuilder::on(area)
        .caption("One hot key: increments per second", CAPTION)
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..threads, 0.0..most * 1.1)?;
    chart
        .configure_mesh()
        .x_labels(threads as usize + 1)
        .x_label_formatter(&|power| format!("{:.0}", power.exp2()))
        .y_label_formatter(&|value| human(*value))
        .x_desc("threads")
        .label_style(FONT)
        .light_line_style(WHITE)
        .draw()?;
    for (load, name, color) in LINES {
        let line: Vec<_> = of(points, load).map(|point| (log2(point.threads), point.per_second)).collect();
        chart
            .draw_series(LineSeries::new(line.iter().copied(), color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        chart.draw_series(line.into_iter().map(|place| Circle::new(place, 3, color.filled())))?;
    }
    chart
        .configure_series_labels()
        .label_font(FONT)
        .background_style(WHITE.mix(0.8))
        .border_style(RGBColor(0xcc, 0xcc, 0xcc))
        .draw()?;
    Ok(())
}

fn waits(area: &Area<'_>, points: &[Point]) -> Result<()> {
    let (threads, most) = bounds(points, |point| point.worst_us);
    let mut chart = ChartBuilder::on(area)
        .caption(
            "How long an increment takes, retries included, in µs: 99 % within (thin), worst (bold)",
            CAPTION,
        )
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..threads, (0.5..most * 2.0).log_scale())?;
    chart
        .configure_mesh()
        .x_labels(threads as usize + 1)
        .x_label_formatter(&|power| format!("{:.0}", power.exp2()))
        .y_label_formatter(&|value| human(*value))
        .x_desc("threads")
        .label_style(FONT)
        .light_line_style(WHITE)
        .draw()?;
    for (load, _, color) in LINES {
        let p99 = of(points, load).map(|point| (log2(point.threads), point.p99_us));
        chart.draw_series(LineSeries::new(p99, color.stroke_width(1)))?;
        let worst = of(points, load).map(|point| (log2(point.threads), point.worst_us));
        chart.draw_series(LineSeries::new(worst, color.stroke_width(3)))?;
    }
    Ok(())
}

fn of(points: &[Point], load: Load) -> impl Iterator<Item = &Point> {
    points.iter().filter(move |point| point.load == load)
}

/// The right end of the axis of threads, and the highest value.
fn bounds(points: &[Point], value: fn(&Point) -> f64) -> (f64, f64) {
    let shown = || points.iter().filter(|point| LINES.iter().any(|(load, ..)| *load == point.load));
    let threads = shown().map(|point| log2(point.threads)).fold(1.0, f64::max);
    (threads, shown().map(value).fold(1.0, f64::max))
}

fn log2(threads: usize) -> f64 {
    (threads as f64).log2()
}
