// Station "draw": what of a chart only the browser can do: write numbers and times, fit axes, show the tooltip.
//
// Loaded as a classic script before any chart. Options name its functions with arguments that are numbers, colours and
// unit texts of a dashboard; names and values of series come only as data of the chart and are shown as text.
"use strict";
window.eddieDraw = (() => {
  const dark = () => document.body.classList.contains("body--dark");
  const pick = (onLight, onDark) => (dark() ? onDark : onLight);
  const two = (number) => String(Math.floor(number)).padStart(2, "0");

  // Numbers: the same as units.py, which tests compare with this.
  const readable = (value) => {
    if (value % 1 === 0) return 0;
    const decimals = 1 - Math.floor(Math.log(Math.abs(value)) / Math.log(10));
    return Math.max(0, decimals + (Math.abs(value) / 10 ** -decimals > 2.25 ? 1 : 0));
  };
  const fixed = (value, decimals) => {
    if (decimals === null && value !== 0 && Math.abs(value) < 1e-15) return String(Number(value.toPrecision(3)));
    const count = decimals ?? readable(value);
    const factor = 10 ** Math.max(0, count);
    const scaled = value * factor;
    const text = String(Math.abs(scaled) < 2 ** 52 ? Math.floor(scaled + 0.5) / factor : value).replace(/^-0$/, "0");
    if (text.includes("e") || count <= 0) return text;
    const [whole, part = ""] = text.split(".");
    return `${whole}.${part.padEnd(count, "0")}`;
  };
  const moment = (value, form) => {
    const at = new Date(value);
    if (Number.isNaN(at.getTime())) return String(value);
    const day = `${two(at.getMonth() + 1)}/${two(at.getDate())}`;
    const minute = `${two(at.getHours())}:${two(at.getMinutes())}`;
    if (form === "day") return day;
    if (form === "minute") return minute;
    if (form === "second") return `${minute}:${two(at.getSeconds())}`;
    if (form === "both") return `${day} ${minute}`;
    return `${at.getFullYear()}-${day.replace("/", "-")} ${minute}:${two(at.getSeconds())}`;
  };
  const DAY = 86400;
  const STEPS = {
    ...{ year: 365 * DAY, month: 30 * DAY, week: 7 * DAY, day: DAY },
    ...{ hour: 3600, minute: 60, second: 1, millisecond: 0.001 },
  };
  const span = (seconds, decimals) => {
    const words = [];
    let left = decimals ?? 0;
    for (const [name, length] of Object.entries(STEPS)) {
      if (seconds / length >= 1 || words.length) {
        const count = Math.floor(Number((seconds / length).toFixed(6)));
        words.push(`${count} ${name}${count === 1 ? "" : "s"}`);
        seconds -= count * length;
        left -= 1;
      }
      if (left < 0) break;
    }
    return words.join(", ") || "0 seconds";
  };
  const clock = (unit, number) => {
    const after = number < 0 ? " ago" : "";
    let rest = Math.abs(number);
    if (unit.kind === "span") return span(rest, unit.decimals) + after;
    const days = unit.kind === "dayclock" ? Math.floor(rest / 86400) : 0;
    rest -= days * 86400;
    return `${days ? `${days} d ` : ""}${two(rest / 3600)}:${two((rest % 3600) / 60)}:${two(rest % 60)}${after}`;
  };
  const write = (unit, value, tick) => {
    if (value === null || value === undefined) return "";
    if (Number.isNaN(value)) return "NaN";
    if (unit.kind === "bool") return unit.words[value ? 0 : 1];
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
    const number = value * unit.factor;
    if (unit.kind === "time") return moment(number);
    if (unit.kind !== "ladder") return clock(unit, number);
    const rung = unit.rungs.find(([below]) => below === null || Math.abs(number) < below) ?? unit.rungs.at(-1);
    const scaled = number / rung[1];
    const minus = unit.prefix && number < 0 ? "-" : "";
    const shown = minus ? -scaled : scaled;
    // A tick is exact to its step, and loses what is only noughts: two ticks never read the same.
    const exact = tick && (unit.decimals === null ? value % 1 !== 0 : rung[1] !== 1);
    const text = exact ? String(Number(shown.toPrecision(6))) : fixed(shown, unit.decimals);
    return `${minus}${unit.prefix}${text}${Math.abs(scaled) > 1 ? rung[3] : rung[2]}`;
  };
  const said = (unit, value) => {
    for (const [low, high, words] of unit.mapped ?? []) {
      if ((low === null || value >= low) && (high === null || value <= high)) return words;
    }
    return write(unit, value, false);
  };

  // Axes: from the lowest to the highest of what is shown, out to a round step, within the dashboard's ends.
  const fit = (end, { min, max }) => {
    if (!Number.isFinite(min) || !Number.isFinite(max)) [min, max] = [0, 1];
    const size = max - min || Math.max(Math.abs(min), Math.abs(max));
    let low = min - size * 0.1;
    let high = max + size * (max > min ? 0.05 : 1);
    if (min >= 0 && (low <= 0 || min === max)) low = 0;
    if (max <= 0 && (high >= 0 || min === max)) high = 0;
    if (end.softMin !== null && min >= end.softMin) low = end.softMin;
    if (end.softMax !== null && max <= end.softMax) high = end.softMax;
    if (end.centred) [low, high] = [-Math.max(-low, high), Math.max(-low, high)];
    low = end.min ?? low;
    high = end.max ?? high;
    if (high <= low) high = low + (end.whole ? 1 : Math.abs(low) || 1);
    // What is left when series are hidden may be far less than a step of all of them.
    const step = high - low >= end.step ? end.step : (high - low) / 2;
    const under = Math.floor(low / step + 1e-9) * step;
    const over = Math.ceil(high / step - 1e-9) * step;
    return [end.min ?? Number(under.toPrecision(12)), end.max ?? Number(over.toPrecision(12))];
  };

  // The tooltip: elements and text, never markup.
  const element = (parent, style, text) => {
    const made = document.createElement("div");
    Object.assign(made.style, style);
    if (text !== undefined) made.textContent = text;
    parent?.append(made);
    return made;
  };
  const line = (box, colour, name, value) => {
    const row = element(box, { display: "flex", alignItems: "center", gap: "8px", lineHeight: "20px" });
    element(row, { background: colour, width: "14px", height: "4px", borderRadius: "2px", flex: "none" });
    const words = { flex: "1", overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" };
    // The same name twice is told apart by characters of no width, which nobody needs to copy.
    element(row, words, String(name).replace(/\u200b+$/, ""));
    element(row, { fontWeight: "500", paddingLeft: "12px", flex: "none" }, value);
  };
  const colourOf = (found) => (typeof found.color === "string" ? found.color : "gray");
  const rows = (spec, found) => {
    const lines = new Map();
    for (const each of [found].flat()) {
      const unit = spec.units[spec.of[each.seriesIndex] ?? -1];
      const value = unit && each.value?.[each.encode?.y?.[0] ?? 1];
      if (!unit || value === null || value === undefined || (spec.hideZeros && value === 0)) continue;
      lines.set(each.seriesName, [colourOf(each), each.seriesName, value, said(unit, value)]);
    }
    const list = [...lines.values()];
    if (spec.sort) list.sort((one, other) => (spec.sort === "desc" ? other[2] - one[2] : one[2] - other[2]));
    return list;
  };
  const tooltip = (spec) => (found) => {
    const all = [found].flat();
    const box = element(null, { maxHeight: `${spec.height}px`, maxWidth: "min(90vw, 480px)", overflowY: "auto" });
    const at = all[0]?.axisValue;
    element(box, { fontWeight: "500", paddingBottom: "4px" }, moment(at));
    for (const [colour, name, , text] of rows(spec, found)) line(box, colour, name, text);
    for (const each of all.filter((one) => one.seriesIndex === spec.marks)) {
      const title = each.value?.[each.encode.y[0] + 1];
      if (title) line(box, colourOf(each), title, "");
    }
    return box;
  };

  const named = (units, of) => (found) => {
    const [bar] = [found].flat();
    const box = element(null, { maxWidth: "min(90vw, 480px)" });
    line(box, colourOf(bar), bar.name, said(units[of[bar.dataIndex]], bar.value));
    return box;
  };

  // Where the tooltip stands: beside the pointer and inside the window. What is given is the pointer within the chart.
  let pointer = null;
  const place = ([x, y], _found, _box, _item, size) => {
    if (!pointer) return [x + 14, y + 14];
    const [left, top] = [pointer.clientX - x, pointer.clientY - y];
    const beside = (at, length, room) => Math.max(8, at + 14 + length > room - 8 ? at - 14 - length : at + 14);
    const [width, height] = size.contentSize;
    return [beside(pointer.clientX, width, innerWidth) - left, beside(pointer.clientY, height, innerHeight) - top];
  };

  // The crosshair of all charts inside one element with data-crosshair moves together, the tooltip stays where it is.
  const CHARTS = "[_echarts_instance_]";
  let library = null;
  let wanted = false;
  const follow = () => {
    wanted = false;
    const own = pointer.target instanceof Element ? pointer.target.closest(CHARTS) : null;
    const group = own?.closest("[data-crosshair]");
    const chart = own && library.getInstanceByDom(own);
    const across = own ? pointer.clientX - own.getBoundingClientRect().left : 0;
    const inside = group && chart?.containPixel("grid", [across, 20]);
    const at = inside ? chart.convertFromPixel({ xAxisIndex: 0 }, across) : null;
    for (const other of (group ?? document).querySelectorAll(group ? CHARTS : `[data-crosshair] ${CHARTS}`)) {
      const beside = other === own ? null : library.getInstanceByDom(other);
      const x = at === null ? NaN : beside?.convertToPixel({ xAxisIndex: 0 }, at);
      const here = Number.isFinite(x) ? { currTrigger: "mousemove", x, y: 20 } : { currTrigger: "leave" };
      // Taking over the dispatch keeps the line, and leaves out the tooltip and the points.
      beside?.dispatchAction({ type: "updateAxisPointer", ...here, dispatchAction: () => {} }, { silent: true });
    }
  };
  document.addEventListener(
    "pointermove",
    (event) => {
      pointer = event;
      if (wanted || !document.querySelector("[data-crosshair]")) return;
      wanted = true;
      // The page's own copy of the library, by the name NiceGUI gives it.
      import("nicegui-echart").then((loaded) => {
        library = loaded.echarts;
        requestAnimationFrame(follow);
      });
    },
    { capture: true, passive: true },
  );

  return {
    pick,
    write,
    tick: (unit) => (value) => write(unit, value, true),
    value: (unit) => (value) => said(unit, value),
    low: (end) => (shown) => fit(end, shown)[0],
    high: (end) => (shown) => fit(end, shown)[1],
    time: (seconds) => (value) => {
      if (seconds <= DAY) return moment(value, seconds <= 300 ? "second" : "minute");
      return moment(value, seconds <= 2 * DAY || new Date(value).getHours() ? "both" : "day");
    },
    dot: (row) => (value) => (value?.[row] ? "circle" : "none"),
    bar: (units, of) => (bar) => said(units[of[bar.dataIndex]], bar.value),
    tooltip,
    named,
    place,
  };
})();
