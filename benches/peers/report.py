"""The report: one Markdown table for each shape, and a line that names the machine."""

import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from shapes import BATCH, MANY, Shape


@dataclass
class Timing:
    """What was measured of one variant, over all rounds.

    Of a peer, every step and forward pass; of algolens, which times itself, one figure a round.
    """

    step_ms: list[float] = field(default_factory=list)
    least_ms: list[float] = field(default_factory=list)
    batch_rate: list[float] = field(default_factory=list)
    many_rate: list[float] = field(default_factory=list)


def machine(versions: list[str], load: float) -> str:
    """Processor, cores, versions, and how busy the machine was before."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.processor() or platform.machine()
    system = [processor, f"{os.cpu_count()} cores", platform.system(), f"Python {platform.python_version()}"]
    return ", ".join([*system, *versions, f"load before {load:.2f}"])


def yardstick(timings: dict[str, Timing]) -> str | None:
    """What the ratios divide by: algolens's circuit form, or its fastest form where that one does not fit the model."""
    forms = [name for name in timings if name.startswith("algolens")]
    circuit = "algolens, circuit"
    return circuit if circuit in forms else min(forms, key=lambda form: median(timings[form].step_ms), default=None)


def markdown(shape: Shape, timings: dict[str, Timing]) -> str:
    """A line for each variant. Ratios are of medians."""
    base = yardstick(timings)
    ratio_of = f"× {base}" if base else "ratio"
    lines = [
        f"### {shape.name}: layers {shape.n_layers}, heads {shape.n_heads}, d_model {shape.d_model}, batch {BATCH}",
        "",
        f"| variant | ms/step, median | ms/step, min | {ratio_of} | lists/s at {BATCH} | lists/s at {MANY} |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, timing in timings.items():
        step = median(timing.step_ms)
        ratio = f"{step / median(timings[base].step_ms):.2f}" if base else "–"
        cells = [name, f"{step:.2f}", f"{min(timing.least_ms):.2f}", ratio, f"{median(timing.batch_rate):,.0f}",
                 f"{median(timing.many_rate):,.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])
