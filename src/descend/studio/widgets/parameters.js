// The parameters of an equation: a slider, a number and a switch that holds it for each, and the loss where they stand.
// While one change is being drawn the next waits, so that only the newest is sent.
import { Turns } from "descend-drawing";

const STEPS = 400;

function text(value, digits = 5) {
  if (value === null || value === undefined) return "–";
  const few = Number(Number(value).toPrecision(digits));
  return few !== 0 && (Math.abs(few) < 1e-3 || Math.abs(few) >= 1e6) ? few.toExponential().replace("e+", "e") : String(few);
}

export default {
  props: { labels: Object, first: Object },
  template: `
    <section class="parameters" role="group" :aria-labelledby="id">
      <div class="parameters-head">
        <h2 :id="id">{{ labels.parameters }}</h2>
        <output class="parameters-loss" aria-live="polite"><span :title="rowsTold">{{ labels.loss }} <b>{{ number(loss) }}</b></span
          ><span v-if="byHand" class="fit"> · {{ labels.fit }} {{ number(fit) }}</span><span v-if="rowsTold" class="fit"> · {{ rowsTold }}</span></output>
        <button type="button" class="small" :disabled="!byHand" @click="$emit('start')">{{ labels.start }}</button>
        <button type="button" class="small" :disabled="!moved" @click="$emit('back')">{{ labels.back }}</button>
      </div>
      <div class="parameters-grid">
        <div v-for="one in sliders" :key="one.name" class="parameter" :class="{ held: one.held }">
          <label :for="id + one.name" :title="one.name">{{ one.name }}</label>
          <input :id="id + one.name" type="range" min="0" :max="steps" step="1" :value="share(one)" :disabled="one.held"
                 :aria-valuetext="spoken(one)" @input="slid(one, $event.target.valueAsNumber)">
          <input class="parameter-number" type="text" inputmode="decimal" :value="edited?.name === one.name ? edited.text : number(one.value, 4)"
                 :aria-label="labels.number.replace('#', one.name)" @input="edited = { name: one.name, text: $event.target.value }" @blur="edited = null"
                 @change="typed(one, $event)">
          <button type="button" class="hold" :aria-pressed="String(one.held)" :aria-label="labels.hold.replace('#', one.name)"
                  :title="labels['hold-help'].replace('#', one.name)" @click="$emit('hold', { name: one.name, held: !one.held })"
                  ><svg viewBox="0 0 16 16" aria-hidden="true"><path :d="one.held ? 'M5 7V5a3 3 0 0 1 6 0v2' : 'M5 7V4.5a3 3 0 0 1 5.9 -0.8'"/><rect x="3.2" y="7" width="9.6" height="7" rx="1.4"/></svg></button>
        </div>
      </div>
      <p v-if="more" class="empty">{{ labels.more.replace("#", more) }}</p>
    </section>`,
  data() {
    return { ...this.first, edited: null, steps: STEPS, id: `parameters-${Math.random().toString(36).slice(2)}` };
  },
  computed: {
    rowsTold() {
      return this.rows ? this.labels.rows.replace("#", this.rows.toLocaleString()) : "";
    },
  },
  mounted() {
    this.turns = new Turns((said, serial) => this.$emit("move", { ...said, serial }));
  },
  beforeUnmount() {
    this.turns.end();
  },
  methods: {
    number: (value, digits) => text(value, digits),
    spoken(one) {
      const parts = { value: text(one.value), low: text(one.low), high: text(one.high) };
      return this.labels.spoken.replace(/#(value|low|high)/g, (_, key) => parts[key]);
    },
    share(one) {
      if (one.value === null) return STEPS / 2;
      const along = one.log ? Math.log(one.value / one.low) / Math.log(one.high / one.low) : (one.value - one.low) / (one.high - one.low);
      return Math.round(STEPS * Math.min(Math.max(Number.isFinite(along) ? along : 0, 0), 1));
    },
    // A value with no more digits than a step of the slider tells.
    at(one, share) {
      const along = share / STEPS;
      if (one.log) return Number((one.low * (one.high / one.low) ** along).toPrecision(4));
      const value = one.low + along * (one.high - one.low);
      const places = Math.ceil(Math.log10(STEPS / (one.high - one.low))) + 1;
      return Math.abs(places) > 15 ? value : Number(places > 0 ? value.toFixed(places) : Math.round(value * 10 ** places) / 10 ** places);
    },
    slid(one, share) {
      this.send(one, this.at(one, share));
    },
    typed(one, event) {
      const value = event.target.value.trim() === "" ? NaN : Number(event.target.value.replace(",", "."));
      this.edited = null;
      if (!Number.isFinite(value)) event.target.value = text(one.value, 4);
      else this.send(one, value);
    },
    send(one, value) {
      one.value = value;
      this.turns.send({ name: one.name, value });
    },
    // Everything as it is now. What is being dragged is not put back.
    paint(now) {
      const dragged = this.turns.flying !== null;
      const before = Object.fromEntries(this.sliders.map((one) => [one.name, one.value]));
      this.sliders = now.sliders.map((one) => (dragged && one.name in before ? { ...one, value: before[one.name] } : one));
      for (const name of ["loss", "fit", "byHand", "moved", "rows", "more"]) this[name] = now[name];
    },
  },
};
