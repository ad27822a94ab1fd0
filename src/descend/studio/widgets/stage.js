// The three pictures: the data with the hypothesis, the loss by epoch, the path over the loss. What stays is drawn
// once; a slider or the scrubber sends only what moves.
import { echarts } from "nicegui-echart";

const ROUND = { fitted: "circle", unseen: "emptyCircle" };

function theme() {
  const style = getComputedStyle(document.body);
  const read = (name) => style.getPropertyValue(name).trim();
  return {
    ink: read("--ink"),
    muted: read("--muted"),
    line: read("--hair"),
    paper: read("--paper"),
    low: read("--low"),
    high: read("--high"),
    colours: [1, 2, 3, 4, 5, 6, 7, 8].map((number) => read(`--c${number}`)),
    font: style.fontFamily,
  };
}

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function rgb(colour) {
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = colour;
  const hex = probe.fillStyle;
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function bitmap(size, paint) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = size;
  const context = canvas.getContext("2d");
  const image = context.createImageData(...size);
  for (let index = 0; index < size[0] * size[1]; index++) {
    const [column, row] = [index % size[0], Math.floor(index / size[0])];
    const at = 4 * ((size[1] - 1 - row) * size[0] + column); // the first row of numbers is the lowest
    image.data.set(paint(index), at);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function short(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e5 || size < 1e-3)) return value.toExponential(0).replace("e+", "e");
  return String(Number(value.toPrecision(4)));
}

export default {
  props: { labels: Object },
  template: `
    <section class="stage" :aria-label="labels.stage">
      <figure v-for="name in ['data', 'loss', 'path']" :key="name" :class="'picture ' + name">
        <figcaption>
          <h2>{{ labels[name] }}</h2>
          <select v-if="name === 'data' && ways.length > 1" :value="way" :aria-label="labels.way"
                  @change="$emit('way', $event.target.value)">
            <option v-for="one in ways" :key="one" :value="one">{{ labels['way-' + one] || one }}</option>
          </select>
          <template v-if="name === 'path' && all.length > 2">
            <select v-for="axis in [0, 1]" :key="axis" :value="chosen[axis]" :aria-label="labels['axis-' + axis]"
                    @change="choose(axis, Number($event.target.value))">
              <option v-for="(one, index) in all" :key="index" :value="index">{{ one }}</option>
            </select>
          </template>
          <span class="key" v-if="keys[name]" v-html="''"></span>
        </figcaption>
        <div class="chart" role="img" :ref="name" :aria-label="told[name]"></div>
      </figure>
    </section>`,
  data() {
    return { ways: [], way: "", all: [], chosen: [], told: { data: "", loss: "", path: "" }, keys: {} };
  },
  mounted() {
    this.charts = {};
    for (const name of ["data", "loss", "path"]) {
      const element = this.$refs[name][0];
      this.charts[name] = echarts.init(element, null, { renderer: "canvas" });
      new ResizeObserver(() => this.charts[name]?.resize()).observe(element);
    }
    this.colours = theme();
    this.watching = new MutationObserver(() => this.repaint());
    this.watching.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    this.charts.loss.getZr().on("click", (event) => this.goTo(event));
    this.$emit("ready");
  },
  beforeUnmount() {
    this.watching.disconnect();
    for (const chart of Object.values(this.charts)) chart.dispose();
    this.charts = {};
  },
  methods: {
    choose(axis, index) {
      const chosen = [...this.chosen];
      chosen[axis] = index;
      if (chosen[0] === chosen[1]) chosen[1 - axis] = this.chosen[axis];
      this.$emit("plane", chosen);
    },
    goTo(event) {
      if (!this.loss) return;
      const [epoch] = this.charts.loss.convertFromPixel("grid", [event.offsetX, event.offsetY]);
      if (epoch >= 0 && epoch <= this.loss.last) this.$emit("epoch", Math.round(epoch));
    },
    repaint() {
      this.colours = theme();
      if (this.still) this.draw({ data: this.still, plane: this.plane, loss: this.loss, path: this.path, moment: this.moment });
    },
    clear() {
      for (const chart of Object.values(this.charts)) chart.clear();
      this.still = this.plane = this.loss = this.path = this.moment = null;
      this.ways = this.all = [];
    },
    // payload: any of data, plane, loss, path, moment; what is left out stays as it is
    draw(payload, serial) {
      if (payload.data) this.setData(payload.data);
      if (payload.plane) this.setPlane(payload.plane);
      if (payload.loss) this.setLoss(payload.loss);
      if (payload.path) this.path = payload.path;
      if (payload.moment) this.move(payload.moment, Boolean(payload.path));
      for (const chart of Object.values(this.charts)) chart.getZr().flush();
      if (serial !== undefined) {
        requestAnimationFrame(() => window.dispatchEvent(new CustomEvent("descend:drawn", { detail: serial })));
      }
    },
    axis(more) {
      const { muted, line, font } = this.colours;
      return {
        type: "value",
        nameLocation: "middle",
        nameTextStyle: { color: muted, fontFamily: font, fontSize: 12 },
        axisLine: { lineStyle: { color: muted } },
        axisTick: { show: false },
        axisLabel: { color: muted, fontFamily: font, fontSize: 11, hideOverlap: true, formatter: short, showMinLabel: false, showMaxLabel: false },
        splitLine: { lineStyle: { color: line } },
        ...more,
      };
    },
    frame(x, y, series, more = {}) {
      return {
        animation: false,
        textStyle: { fontFamily: this.colours.font },
        grid: { left: 50, right: 14, top: 12, bottom: 42, ...more.grid },
        xAxis: this.axis({ nameGap: 24, splitLine: { show: false }, ...x }),
        yAxis: this.axis({ nameGap: 38, ...y }),
        series,
        ...(more.legend ? { legend: more.legend } : {}),
        ...(more.tooltip ? { tooltip: more.tooltip } : {}),
      };
    },
    legend(names) {
      const { muted, font } = this.colours;
      if (names.filter(Boolean).length < 2) return undefined;
      return {
        data: names,
        top: 0,
        right: 8,
        itemWidth: 14,
        itemHeight: 8,
        type: "scroll",
        selectedMode: false,
        textStyle: { color: muted, fontFamily: font, fontSize: 11 },
        pageIconSize: 9,
      };
    },
    dots(id, which, data, colour, name, z = 0) {
      return {
        id,
        name,
        type: "scatter",
        silent: true,
        zlevel: z,
        symbol: ROUND[which],
        symbolSize: data.length > 150 ? 5 : 9,
        data,
        itemStyle: which === "fitted" ? { color: colour, opacity: data.length > 150 ? 0.5 : 0.85 } : { color: colour, opacity: 0.9 },
        progressive: 0,
      };
    },
    image(id, window, canvas, opacity = 1) {
      return {
        id,
        type: "custom",
        silent: true,
        z: -1,
        data: [[window[0][0], window[1][0]]],
        clip: true,
        renderItem: (params, api) => {
          const [left, bottom] = api.coord([window[0][0], window[1][0]]);
          const [right, top] = api.coord([window[0][1], window[1][1]]);
          return { type: "image", style: { image: canvas(), x: left, y: top, width: right - left, height: bottom - top, opacity } };
        },
      };
    },
    colour(index) {
      return this.colours.colours[index % this.colours.colours.length];
    },
    setData(still) {
      this.still = still;
      this.ways = still.ways;
      this.way = still.way;
      const series = [];
      const few = still.names?.length > 1 ? this.legend(still.names) : undefined;
      const grid = few ? { top: 26 } : {};
      let [x, y] = [{ name: still.x }, { name: still.y }];
      if (still.xr) x = { ...x, min: still.xr[0], max: still.xr[1] };
      if (still.yr) y = { ...y, min: still.yr[0], max: still.yr[1] };
      if (still.kind === "regions") series.push(this.image("regions", [still.xr, still.yr], () => this.regions ?? bitmap([1, 1], () => [0, 0, 0, 0])));
      (still.points ?? []).forEach((group, index) => {
        for (const which of ["fitted", "unseen"]) {
          series.push(this.dots(`${which}${index}`, which, group[which], this.colour(index), still.names[index]));
        }
      });
      if (still.kind === "curve") {
        const lines = still.names.length;
        for (let index = 0; index < lines; index++) {
          const colour = lines > 1 ? this.colour(index) : this.colours.colours[1];
          series.push({ id: `line${index}`, name: still.names[index], type: "line", zlevel: 1, showSymbol: false, silent: true, lineStyle: { width: 3, color: colour }, itemStyle: { color: colour }, data: [] });
        }
      }
      if (still.kind === "levels") {
        x = { ...x, min: -0.5, max: still.ticks.length - 0.5, interval: 1, axisLabel: { color: this.colours.muted, fontFamily: this.colours.font, fontSize: 11, formatter: (at) => still.ticks[at] ?? "" } };
        series.push({ id: "bars", type: "line", zlevel: 1, silent: true, showSymbol: false, lineStyle: { width: 4, color: this.colours.colours[1] }, data: [] });
      }
      if (still.kind === "compared") {
        series.push({ id: "equal", type: "line", silent: true, showSymbol: false, lineStyle: { width: 1, type: "dashed", color: this.colours.muted }, data: [[still.xr[0], still.xr[0]], [still.xr[1], still.xr[1]]] });
        still.names.forEach((name, index) => {
          for (const which of ["fitted", "unseen"]) series.push(this.dots(`${which}${index}`, which, [], this.colour(index), name, 1));
        });
      }
      if (still.kind === "counts") return this.setCounts(still);
      this.charts.data.setOption(this.frame(x, y, series, { legend: few, grid }), { notMerge: true });
    },
    setCounts(still) {
      const ticks = { type: "category", data: still.ticks, axisLabel: { color: this.colours.muted, fontFamily: this.colours.font, fontSize: 11 }, splitLine: { show: false } };
      const option = this.frame({ ...ticks, name: still.x }, { ...ticks, name: still.y, inverse: true, nameGap: 44 }, [
        { id: "counts", type: "heatmap", silent: true, data: [], label: { show: still.ticks.length <= 12, color: this.colours.ink } },
      ], { grid: { left: 64 } });
      option.visualMap = { show: false, min: 0, max: 1, inRange: { color: [this.colours.paper, this.colours.colours[5]] } };
      this.charts.data.setOption(option, { notMerge: true });
    },
    setLoss(loss) {
      this.loss = loss;
      const series = [];
      const line = (id, name, data, colour, more = {}) => ({ id, name, type: "line", showSymbol: data.length < 25, symbolSize: 5, silent: true, data, lineStyle: { width: 2.5, color: colour, ...more }, itemStyle: { color: colour } });
      const { labels } = this;
      if (loss.forecast) series.push(line("forecast", loss.forecast.name, loss.forecast.line, this.colours.muted, { type: "dashed", width: 1.5 }));
      series.push(line("fitted", labels.fitted, loss.fitted, this.colours.colours[0]));
      if (loss.unseen) series.push(line("unseen", labels.unseen, loss.unseen, this.colours.colours[1], { type: [7, 3] }));
      loss.others.forEach((other, index) => series.push(line(`other${index}`, other.name, other.line, this.colour(index + 2), { type: ["solid", "dashed", "dotted"][index % 3] })));
      series.push({ id: "at", type: "scatter", zlevel: 1, silent: true, symbolSize: 12, itemStyle: { color: this.colours.colours[0], borderColor: this.colours.paper, borderWidth: 2 }, data: [], markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: this.colours.muted, type: "solid", width: 1 }, data: [] } });
      const names = series.filter((one) => one.name).map((one) => one.name);
      const value = (number) => (number === null || number === undefined ? "–" : short(number));
      const tooltip = { trigger: "axis", confine: true, backgroundColor: this.colours.paper, borderColor: this.colours.line, textStyle: { color: this.colours.ink, fontSize: 12, fontFamily: this.colours.font }, axisPointer: { type: "line", lineStyle: { color: this.colours.muted } }, valueFormatter: value };
      const end = Math.max(loss.last, ...loss.others.map((other) => other.line.at(-1)?.[0] ?? 0)) || 1;
      this.charts.loss.setOption(
        this.frame(
          { name: labels.epoch, min: 0, max: end, minInterval: 1 },
          { name: loss.log ? labels["loss-log"] : labels["loss-axis"], type: loss.log ? "log" : "value", min: loss.log ? (extent) => extent.min : 0, minorSplitLine: { show: false }, scale: true },
          series,
          { legend: this.legend(names), grid: names.length > 1 ? { top: 26 } : {}, tooltip },
        ),
        { notMerge: true },
      );
      this.told.loss = loss.label;
    },
    setPlane(plane) {
      this.plane = plane;
      this.all = plane.all ?? [];
      this.chosen = plane.chosen ?? [];
      const series = [];
      const { colours } = this;
      const window = [plane.a, plane.b];
      if (plane.kind === "plane") {
        const [low, high] = [rgb(colours.low), rgb(colours.high)];
        const heights = bytes(plane.image);
        const canvas = bitmap(plane.size, (index) => [...low.map((value, k) => value + ((high[k] - value) * heights[index]) / 255), 255]);
        series.push(this.image("surface", window, () => canvas));
        series.push({ id: "contours", type: "lines", coordinateSystem: "cartesian2d", polyline: true, silent: true, clip: true, data: plane.lines.map((coords) => ({ coords })), lineStyle: { color: colours.ink, width: 0.7, opacity: 0.35 } });
      }
      if (plane.kind === "line") series.push({ id: "surface", type: "line", showSymbol: false, silent: true, data: plane.line, lineStyle: { color: colours.colours[0], width: 2 } });
      const mark = (id, symbol, size, colour, more = {}) => ({ id, type: "scatter", zlevel: 1, silent: true, symbol, symbolSize: size, itemStyle: { color: colour, borderColor: colours.paper, borderWidth: 1.5, ...more }, data: [] });
      series.push(
        { id: "path", type: "line", zlevel: 1, silent: true, showSymbol: true, symbol: "circle", symbolSize: 4, clip: true, data: [], lineStyle: { color: colours.colours[1], width: 2 }, itemStyle: { color: colours.colours[1] } },
        { ...mark("goal", "diamond", 13, colours.ink), data: plane.kind === "plane" ? [plane.goal] : [] },
        mark("start", "circle", 9, colours.ink),
        mark("at", "circle", 14, colours.colours[1]),
      );
      const y = plane.kind === "line" ? { name: this.labels["loss-axis"] } : { name: plane.names[1], min: plane.b?.[0], max: plane.b?.[1] };
      this.charts.path.setOption(
        this.frame({ name: plane.names[0], min: plane.a[0], max: plane.a[1] }, { ...y, splitLine: { show: false } }, series),
        { notMerge: true },
      );
      this.told.path = `${this.labels.path}: ${plane.names.join(", ")}`;
    },
    move(moment, whole) {
      this.moment = moment;
      this.moveData(moment.data);
      const known = moment.loss !== null && moment.loss !== undefined;
      this.charts.loss.setOption({ series: [{ id: "at", data: known ? [[moment.epoch, moment.loss]] : [], markLine: { data: [{ xAxis: moment.epoch }] } }] });
      if (this.path && moment.place) this.movePath(moment, whole);
    },
    moveData(data) {
      const { still } = this;
      if (!still || !data) return;
      const series = [];
      if (still.kind === "curve") data.lines.forEach((line, index) => series.push({ id: `line${index}`, data: line.map((height, at) => [still.grid[at], height]) }));
      if (still.kind === "levels") series.push({ id: "bars", data: data.bars.flatMap((height, at) => [[at - 0.36, height], [at + 0.36, height], [at, null]]) });
      if (still.kind === "compared") data.points.forEach((group, index) => { for (const which of ["fitted", "unseen"]) series.push({ id: `${which}${index}`, data: group[which] }); });
      if (still.kind === "regions") {
        const [classes, sure] = [bytes(data.classes), bytes(data.sure)];
        const paints = still.names.map((_, index) => rgb(this.colour(index)));
        this.regions = bitmap(still.size, (index) => [...paints[classes[index] % paints.length], 26 + (sure[index] * 90) / 255]);
        series.push({ id: "regions", data: [[still.xr[0], still.yr[0]]] });
      }
      if (still.kind === "counts") {
        const most = Math.max(1, ...data.counts.flat());
        this.charts.data.setOption({ visualMap: { max: most }, series: [{ id: "counts", data: data.counts.flatMap((row, y) => row.map((count, x) => [x, y, count])) }] });
        return;
      }
      this.charts.data.setOption({ series });
    },
    movePath(moment, whole) {
      const place = this.plane.kind === "line" ? this.onLine(moment.place[0]) : moment.place;
      const series = [{ id: "at", data: place[0] === null || place[1] === null ? [] : [place] }];
      if (whole || this.upTo !== moment.epoch) {
        const count = this.path.epochs.filter((epoch) => epoch <= moment.epoch).length;
        const line = this.path.line.slice(0, count).map((point) => (this.plane.kind === "line" ? this.onLine(point[0]) : point));
        series.push({ id: "path", data: line, showSymbol: count < 60 }, { id: "start", data: line.slice(0, 1) });
        this.upTo = moment.epoch;
      }
      this.charts.path.setOption({ series });
    },
    onLine(a) {
      const line = this.plane.line;
      if (a === null || a < line[0][0] || a > line.at(-1)[0]) return [null, null];
      const at = Math.min(line.findIndex((point) => point[0] >= a), line.length - 1);
      return [a, line[at][1]];
    },
    // a fit that runs elsewhere: its loss so far
    grow(points, name) {
      if (!points.length) return;
      const positive = points.map((point) => point[1]).filter((value) => value > 0);
      const log = positive.length > 0 && Math.max(...positive) > 10 * Math.min(...positive);
      this.setLoss({ log, fitted: points, unseen: null, others: [], forecast: null, last: points.at(-1)[0], label: name });
      this.charts.loss.getZr().flush();
    },
  },
};
