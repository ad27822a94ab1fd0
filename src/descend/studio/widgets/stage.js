// The three pictures: the data with the hypothesis, the loss by epoch, the path over the loss. Axes, rows and contours
// are a chart's and drawn once; what moves with a slider or the scrubber is drawn over it.
import { echarts } from "nicegui-echart";
import { Layer, bitmap, bytes, rgb, theme } from "descend-drawing";

const NAMES = ["data", "loss", "path"];
const DASHES = [[], [7, 4], [2, 3]];

function short(value, digits = 6) {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) return Number(value.toPrecision(digits - 3)).toExponential().replace("e+", "e");
  return String(Number(value.toPrecision(digits)));
}

// An axis's labels are short by themselves: cut shorter, two of a narrow axis far from 0 would read alike.
const tick = (value) => short(value, 13);

export default {
  props: { labels: Object },
  template: `
    <section class="stage" :class="{ dim }" :aria-label="labels.stage">
      <figure v-for="name in ['data', 'loss', 'path']" :key="name" :class="'picture ' + name">
        <figcaption>
          <h2>{{ labels[name] }}</h2>
          <ul class="key" v-if="keys[name].length">
            <li v-for="one in keys[name]" :key="one.name" :title="one.name"><i :class="one.mark" :style="{ color: one.colour }"></i>{{ one.name }}</li>
          </ul>
          <select v-if="name === 'data' && ways.length > 1" :value="way" :aria-label="labels.way"
                  @change="$emit('way', $event.target.value)">
            <option v-for="one in ways" :key="one" :value="one">{{ wayName(one) }}</option>
          </select>
          <template v-if="name === 'path' && all.length > 2">
            <select v-for="axis in [0, 1]" :key="axis" :value="chosen[axis]" :aria-label="labels['axis-' + axis]"
                    @change="choose(axis, Number($event.target.value))">
              <option v-for="one in all" :key="one.at" :value="one.at">{{ one.name }}</option>
              <option v-if="more" disabled value="">{{ labels.more.replace("#", more) }}</option>
            </select>
          </template>
        </figcaption>
        <div class="chart" role="img" :ref="name" :aria-label="told[name]"></div>
      </figure>
    </section>`,
  data() {
    return { dim: false, ways: [], way: "", all: [], more: 0, chosen: [], told: { data: "", loss: "", path: "" }, keys: { data: [], loss: [], path: [] } };
  },
  mounted() {
    this.charts = {};
    this.layers = {};
    for (const name of NAMES) {
      const element = this.$refs[name][0];
      this.charts[name] = echarts.init(element, null, { renderer: "canvas" });
      this.layers[name] = new Layer(this.charts[name]);
      new ResizeObserver(() => this.resize(name)).observe(element);
    }
    this.under = new Layer(this.charts.data, true);
    this.colours = theme();
    this.watching = new MutationObserver(() => this.repaint());
    this.watching.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    this.charts.loss.getZr().on("click", (event) => this.goTo(event));
    this.$emit("ready");
  },
  beforeUnmount() {
    this.watching.disconnect();
    clearTimeout(this.hover);
    for (const chart of Object.values(this.charts)) chart.dispose();
    this.charts = {};
  },
  methods: {
    // A way of the studio's own begins with a backtick, as no column does.
    wayName(way) {
      return way.startsWith("`") ? this.labels[`way-${way.slice(1)}`] : way;
    },
    choose(axis, index) {
      const chosen = [...this.chosen];
      chosen[axis] = index;
      if (chosen[0] === chosen[1]) chosen[1 - axis] = this.chosen[axis];
      this.$emit("plane", chosen);
    },
    goTo(event) {
      if (!this.loss) return;
      const [epoch] = this.charts.loss.convertFromPixel("grid", [event.offsetX, event.offsetY]);
      if (epoch >= 0 && epoch <= this.loss.end) this.$emit("epoch", Math.round(epoch));
    },
    resize(name) {
      if (!this.charts[name]) return;
      this.charts[name].resize();
      this.layers[name].fit();
      if (name === "data") this.under.fit();
      this.paint();
    },
    // Quasar changes the body's classes often; only light and dark matter here.
    repaint() {
      if (this.colours.dark === document.body.classList.contains("body--dark")) return;
      this.colours = theme();
      if (this.still) this.draw({ data: this.still, plane: this.plane, loss: this.loss, path: this.path, moment: this.moment }, undefined, true);
    },
    clear() {
      clearTimeout(this.hover);
      this.lossAxes = this.lossLines = null; // the axes are gone: the next loss brings its own
      for (const name of NAMES) {
        this.charts[name].clear();
        this.layers[name].draw(() => {});
        this.keys[name] = [];
      }
      this.under.draw(() => {});
      clearTimeout(this.hover); // lines without axes would break the chart
      this.lossAxes = this.lossLines = null;
      this.still = this.plane = this.loss = this.path = this.moment = null;
      this.ways = this.all = [];
    },
    // What is shown is no longer what is stated.
    fade(dim) {
      this.dim = dim;
    },
    // payload: any of data, plane, loss, path, moment; what is left out stays as it is
    draw(payload, serial, anew = false) {
      if (payload.data) this.setData(payload.data);
      if (payload.plane) this.setPlane(payload.plane);
      if (payload.loss) this.setLoss(payload.loss, anew);
      if (payload.path) this.path = payload.path;
      if (payload.moment) this.moment = payload.moment;
      this.paint();
      if (serial !== undefined) {
        requestAnimationFrame(() => window.dispatchEvent(new CustomEvent("descend:drawn", { detail: serial })));
      }
    },

    // what stays

    axis(more) {
      const { muted, line, font } = this.colours;
      return {
        type: "value",
        nameLocation: "middle",
        nameTextStyle: { color: muted, fontFamily: font, fontSize: this.size(12) },
        axisLine: { onZero: false, lineStyle: { color: muted } },
        axisTick: { show: false },
        axisLabel: { color: muted, fontFamily: font, fontSize: this.size(11), hideOverlap: true, formatter: tick, showMinLabel: false, showMaxLabel: false },
        splitLine: { lineStyle: { color: line } },
        ...more,
      };
    },
    frame(x, y, series, more = {}) {
      return {
        animation: false,
        textStyle: { fontFamily: this.colours.font },
        grid: { left: 54, right: 14, top: 10, bottom: 42, ...more.grid },
        xAxis: this.axis({ nameGap: 24, splitLine: { show: false }, ...x }),
        yAxis: this.axis({ nameGap: 40, ...y }),
        series,
        ...(more.tooltip ? { tooltip: more.tooltip } : {}),
      };
    },
    // The charts' letters grow with the page's, as on a projector.
    size(points) {
      return Math.round(points * this.colours.scale);
    },
    colour(index) {
      return this.colours.colours[index % this.colours.colours.length];
    },
    rows(which, data, colour) {
      const opacity = data.length > 150 ? 0.5 : 0.85;
      return {
        type: "scatter",
        silent: true,
        symbol: "circle",
        symbolSize: data.length > 150 ? 5 : 9,
        data,
        itemStyle: which === "fitted" ? { color: colour, opacity } : { color: this.colours.paper, borderColor: colour, borderWidth: 1.8, opacity: 0.9 },
        progressive: 0,
      };
    },
    setData(still) {
      this.still = still;
      this.ways = still.ways;
      this.way = still.way;
      const named = still.names?.length > 1 ? still.names : [];
      this.keys.data = named.slice(0, 8).map((name, index) => ({ name, colour: this.colour(index), mark: "dot" }));
      this.told.data = [still.y, still.x].filter(Boolean).join(" ~ ");
      if (still.kind === "counts") return this.setCounts(still);
      const series = (still.points ?? []).flatMap((group, index) => ["fitted", "unseen"].map((which) => this.rows(which, group[which], this.colour(index))));
      const ticks = still.ticks;
      const [xr, yr] = [ticks ? [-0.5, ticks.length - 0.5] : still.xr, still.yr];
      let x = { name: still.x, min: xr[0], max: xr[1] };
      if (ticks) x = { ...x, ...this.levels(ticks) };
      this.charts.data.setOption(this.frame(x, { name: still.y, min: yr[0], max: yr[1] }, series), { notMerge: true });
      for (const layer of [this.layers.data, this.under]) layer.frame(xr, yr);
    },
    levels(ticks) {
      return { type: "value", customValues: ticks.map((_, at) => at), axisLabel: { color: this.colours.muted, fontFamily: this.colours.font, fontSize: this.size(11), customValues: ticks.map((_, at) => at), formatter: (at) => ticks[at] ?? "" } };
    },
    setCounts(still) {
      const ticks = { type: "category", data: still.ticks, axisLabel: { color: this.colours.muted, fontFamily: this.colours.font, fontSize: this.size(11) }, splitLine: { show: false } };
      const heat = { id: "counts", type: "heatmap", silent: true, data: [], label: { show: still.ticks.length <= 12, color: this.colours.ink } };
      const option = this.frame({ ...ticks, name: still.x }, { ...ticks, name: still.y, inverse: true, nameGap: 52 }, [heat], { grid: { left: 70 } });
      option.visualMap = { show: false, min: 0, max: 1, inRange: { color: [this.colours.paper, this.colours.colours[5]] } };
      this.charts.data.setOption(option, { notMerge: true });
      for (const layer of [this.layers.data, this.under]) layer.draw(() => {});
    },
    // The axes are drawn anew only where they change; the lines lie over them, and under the pointer as a tooltip.
    setLoss(loss, anew) {
      const { labels, colours } = this;
      this.loss = loss;
      const lines = [];
      if (loss.forecast) lines.push({ name: loss.forecast.name, data: loss.forecast.line, colour: colours.muted, width: 1.6, dash: [6, 4] });
      lines.push({ name: loss.name ?? labels.fitted, data: loss.fitted, colour: this.colour(0), width: 2.6, dash: [] });
      if (loss.unseen) lines.push({ name: labels.unseen, data: loss.unseen, colour: this.colour(1), width: 2.2, dash: [9, 3] });
      loss.others.forEach((other, index) => lines.push({ name: other.name, data: other.line, colour: this.colour(index + 2), width: 2.2, dash: DASHES[index % 3] }));
      this.lossLines = lines;
      this.told.loss = loss.label;
      const keys = lines.map((one) => ({ name: one.name, colour: one.colour, mark: one.dash.length ? "dash" : "line" }));
      if (JSON.stringify(keys) !== JSON.stringify(this.keys.loss)) this.keys.loss = keys;
      const axes = JSON.stringify([loss.end, loss.yr, loss.log]);
      if (anew || axes !== this.lossAxes) {
        this.lossAxes = axes;
        const tooltip = { trigger: "axis", confine: true, backgroundColor: colours.paper, borderColor: colours.line, textStyle: { color: colours.ink, fontSize: this.size(12), fontFamily: colours.font }, axisPointer: { type: "line", lineStyle: { color: colours.muted } }, valueFormatter: (value) => (value === null || value === undefined ? "–" : short(value)) };
        const y = { name: loss.log ? labels["loss-log"] : labels["loss-axis"], type: loss.log ? "log" : "value", min: loss.yr[0], max: loss.yr[1], ...(loss.log ? this.decades(loss.yr) : {}) };
        this.charts.loss.setOption(this.frame({ name: labels.epoch, min: 0, max: loss.end, minInterval: 1 }, y, [], { tooltip }), { notMerge: true });
        this.layers.loss.frame([0, loss.end], loss.yr, loss.log);
      }
      clearTimeout(this.hover);
      this.hover = setTimeout(() => this.readable(), 250);
    },
    // Powers of ten, five or so; within two of them their doubles and halves too: one label alone is no scale.
    decades([low, high]) {
      if (!(low > 0)) return {};
      const [from, span] = [Math.floor(Math.log10(low)), Math.log10(high / low)];
      const [every, steps] = span > 2 ? [Math.ceil(span / 6), [1]] : [1, [1, 2, 5]];
      const powers = Array.from({ length: Math.ceil(span) + 2 }, (_, at) => from + at).filter((power) => power % every === 0);
      const at = powers.flatMap((power) => steps.map((step) => Number(`${step}e${power}`))).filter((value) => value > low && value < high);
      const { muted, font } = this.colours;
      return { splitLine: { show: false }, axisTick: { show: true, customValues: at }, axisLabel: { color: muted, fontFamily: font, fontSize: this.size(11), formatter: tick, hideOverlap: true, customValues: at } };
    },
    readable() {
      if (!this.lossLines) return;
      const series = this.lossLines.map((one, index) => ({ id: `line${index}`, name: one.name, type: "line", silent: true, showSymbol: false, lineStyle: { opacity: 0 }, itemStyle: { color: one.colour }, data: one.data }));
      this.charts.loss?.setOption({ series }, { replaceMerge: ["series"] });
    },
    setPlane(plane) {
      this.plane = plane;
      this.all = plane.all ?? [];
      this.more = plane.more ?? 0;
      this.chosen = plane.chosen ?? [];
      const { colours } = this;
      const series = [];
      let yr = plane.b;
      if (plane.kind === "plane") {
        const [low, high] = [rgb(colours.low), rgb(colours.high)];
        const heights = bytes(plane.image);
        const canvas = bitmap(plane.size, (index) => [...low.map((value, k) => value + ((high[k] - value) * heights[index]) / 255), 255]);
        series.push({ type: "custom", silent: true, z: -1, data: [[plane.a[0], plane.b[0]]], renderItem: (params, api) => this.surface(api, canvas) });
        series.push({ type: "lines", coordinateSystem: "cartesian2d", polyline: true, silent: true, clip: true, data: plane.lines.map((coords) => ({ coords })), lineStyle: { color: colours.ink, width: 0.7, opacity: 0.35 } });
        series.push({ type: "scatter", silent: true, symbol: "diamond", symbolSize: 13, data: [plane.goal], itemStyle: { color: colours.ink, borderColor: colours.paper, borderWidth: 1.5 } });
      }
      if (plane.kind === "line") {
        const heights = plane.line.map((point) => point[1]).filter((value) => value !== null);
        yr = [Math.min(...heights), Math.max(...heights)];
        series.push({ type: "line", showSymbol: false, silent: true, data: plane.line, lineStyle: { color: this.colour(0), width: 2 } });
      }
      if (!yr) yr = [0, 1];
      const y = { name: plane.kind === "line" ? this.labels["loss-axis"] : plane.names[1], min: yr[0], max: yr[1], splitLine: { show: false } };
      this.charts.path.setOption(this.frame({ name: plane.names[0], min: plane.a[0], max: plane.a[1] }, y, series), { notMerge: true });
      this.layers.path.frame(plane.a, yr);
      this.told.path = `${this.labels.path}: ${plane.names.join(", ")}`;
    },
    surface(api, canvas) {
      const [left, bottom] = api.coord([this.plane.a[0], this.plane.b[0]]);
      const [right, top] = api.coord([this.plane.a[1], this.plane.b[1]]);
      return { type: "image", style: { image: canvas, x: left, y: top, width: right - left, height: bottom - top } };
    },

    // what moves

    paint() {
      const { moment } = this;
      if (!moment) return;
      if (this.still) this.paintData(moment.data);
      if (this.lossLines) this.layers.loss.draw((layer) => this.paintLoss(layer, moment));
      if (this.path && this.plane && moment.place) this.layers.path.draw((layer) => this.paintPath(layer, moment));
    },
    paintData(data) {
      const { still, layers } = this;
      if (still.kind === "counts") {
        const most = data.counts.flat().reduce((one, two) => Math.max(one, two), 1);
        const cells = data.counts.flatMap((row, y) => row.map((count, x) => [x, y, count]));
        this.charts.data.setOption({ visualMap: { max: most }, series: [{ id: "counts", data: cells }] });
        return;
      }
      if (still.kind === "regions") {
        const [classes, sure] = [bytes(data.classes), bytes(data.sure)];
        const paints = still.names.map((_, index) => rgb(this.colour(index)));
        const picture = bitmap(still.size, (index) => [...paints[classes[index] % paints.length], 26 + (sure[index] * 90) / 255]);
        this.under.draw((layer) => layer.image(picture));
        layers.data.draw(() => {});
        return;
      }
      this.under.draw(() => {});
      layers.data.draw((layer) => {
        if (still.kind === "curve") this.paintCurves(layer, still, data);
        if (!this.visible(still, data)) layer.note(this.labels.gone, this.colours);
        if (still.kind === "levels") data.bars.forEach((height, at) => layer.line([[at - 0.36, height], [at + 0.36, height]], this.colour(1), 4));
        if (still.kind === "compared") this.paintPairs(layer, still, data);
      });
    },
    // Whether anything of what the hypothesis says lies inside the axes.
    visible(still, data) {
      const inside = (value, [low, high]) => value !== null && value >= low && value <= high;
      if (still.kind === "curve") return data.lines.some((line) => line.some((value) => inside(value, still.yr)));
      if (still.kind === "levels") return data.bars.some((value) => inside(value, still.yr));
      return data.points.some((group) => [...group.fitted, ...group.unseen].some((point) => inside(point[0], still.xr)));
    },
    paintCurves(layer, still, data) {
      data.lines.forEach((line, index) => {
        const points = line.map((height, at) => [still.grid[at], height]);
        if (data.lines.length > 1) layer.line(points, this.colours.paper, 5);
        layer.line(points, data.lines.length > 1 ? this.colour(index) : this.colour(1), 3);
      });
    },
    paintPairs(layer, still, data) {
      layer.line([[still.xr[0], still.xr[0]], [still.xr[1], still.xr[1]]], this.colours.muted, 1, [5, 4]);
      data.points.forEach((group, index) => {
        const many = group.fitted.length > 150;
        layer.dots(group.fitted, this.colour(index), many ? 2.5 : 4.5, { opacity: many ? 0.5 : 0.85 });
        layer.dots(group.unseen, this.colour(index), many ? 2.5 : 4.5, { hollow: true, opacity: 0.9 });
      });
    },
    paintLoss(layer, moment) {
      const { colours } = this;
      for (const one of this.lossLines) {
        layer.line(one.data, one.colour, one.width, one.dash);
        if (one.data.length < 25 && !one.dash.length) layer.dots(one.data, one.colour, 3);
      }
      if (moment.epoch === null) return this.paintLevel(layer, moment.loss);
      layer.upright(moment.epoch, colours.muted);
      if (moment.loss !== null && moment.loss !== undefined) layer.dots([[moment.epoch, Math.max(moment.loss, this.loss.yr[0])]], this.colour(0), 6, { rim: colours.paper });
    },
    // The loss of parameters that were set by hand, which are of no epoch.
    paintLevel(layer, loss) {
      const [low, high] = this.loss.yr;
      if (loss === null) return;
      const level = Math.min(Math.max(loss, low), high);
      layer.line([[0, level], [this.loss.end, level]], this.colour(1), 2.2, [3, 4]);
    },
    paintPath(layer, moment) {
      const { colours } = this;
      const flat = this.plane.kind === "line";
      const byHand = moment.epoch === null;
      const count = byHand ? this.path.epochs.length : this.path.epochs.filter((epoch) => epoch <= moment.epoch).length;
      const line = this.path.line.slice(0, count).map((point) => (flat ? this.onLine(point[0]) : point));
      const place = flat ? this.onLine(moment.place[0]) : moment.place;
      const walked = byHand ? line : [...line, place];
      layer.line(walked, colours.paper, 4.5);
      layer.line(walked, this.colour(1), 2.4);
      if (count < 80) layer.dots(line, this.colour(1), 2.6);
      layer.dots(line.slice(0, 1), colours.ink, 5, { rim: colours.paper });
      layer.dots([place], this.colour(1), 7, { rim: colours.paper });
    },
    onLine(a) {
      const line = this.plane.line;
      if (a === null || a < line[0][0] || a > line.at(-1)[0]) return [null, null];
      const at = Math.min(line.findIndex((point) => point[0] >= a), line.length - 1);
      return [a, line[at][1]];
    },
    // A fit that runs elsewhere: its loss so far.
    grow(loss) {
      this.setLoss(loss, false);
      this.layers.loss.draw((layer) => this.lossLines.forEach((one) => layer.line(one.data, one.colour, one.width, one.dash)));
    },
  },
};
