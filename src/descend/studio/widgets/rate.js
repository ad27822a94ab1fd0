// The learning rate: a slider over powers of ten on which is painted what each rate will do, and the rate as a number.
// While one change is being drawn the next waits, so that only the newest is sent.
import { Turns } from "descend-drawing";

export default {
  props: { labels: Object, first: Object },
  template: `
    <section class="rate" :class="{ off: disabled }" role="group" :aria-label="labels.rate">
      <div class="rate-head">
        <label :for="id">{{ labels.rate }}</label>
        <input class="rate-number" type="text" inputmode="decimal" :value="shown" :aria-label="labels.number"
               :disabled="disabled" @change="typed($event.target.value)" @keydown.enter="typed($event.target.value)">
        <button type="button" class="small" :disabled="disabled || !zones.best" @click="take(zones.best.rate)">{{ labels.best }}</button>
      </div>
      <div class="rate-track">
        <div class="rate-zones" aria-hidden="true">
          <span v-for="part in zones.parts" :key="part.kind" :class="'zone ' + part.kind"
                :style="{ left: percent(part.from), width: percent(part.to - part.from) }"
                ><b v-if="part.to - part.from > 0.12">{{ labels[part.kind] }}</b></span>
          <i v-if="zones.best" class="tick" :style="{ left: percent(zones.best.at) }"><em>{{ number(zones.best.rate) }}</em></i>
          <i v-if="zones.edge" class="tick edge" :style="{ left: percent(zones.edge.at) }"><em>{{ number(zones.edge.rate) }}</em></i>
        </div>
        <input :id="id" type="range" min="0" max="1" step="0.002" :value="share" :disabled="disabled"
               :aria-valuetext="shown + ', ' + zoneName" @input="slid($event.target.valueAsNumber)" @change="$emit('settle')">
      </div>
    </section>`,
  data() {
    return { ...this.first, inner: this.first.rate, id: `rate-${Math.random().toString(36).slice(2)}` };
  },
  computed: {
    share() {
      if (!(this.inner > 0)) return 0;
      const at = (Math.log10(this.inner) - this.zones.low) / (this.zones.high - this.zones.low);
      return Math.min(Math.max(at, 0), 1);
    },
    shown() {
      return this.inner > 0 ? this.number(this.inner) : "";
    },
    zoneName() {
      const { edge, best } = this.zones;
      if (!edge) return "";
      const kinds = this.zones.parts.map((part) => part.kind);
      if (this.inner >= edge.rate) return this.labels[kinds.at(-1)] ?? "";
      if (best && this.inner < best.rate / 100) return this.labels.slow;
      return this.labels[kinds.find((kind) => kind === "sure" || kind === "stable")] ?? "";
    },
  },
  mounted() {
    this.turns = new Turns((rate, serial) => this.$emit("rate", { rate, serial }));
  },
  beforeUnmount() {
    this.turns.end();
  },
  methods: {
    percent: (share) => `${100 * share}%`,
    number(value) {
      const few = Number(value.toPrecision(4));
      return Math.abs(few) < 1e-3 || Math.abs(few) >= 1e5 ? few.toExponential().replace("e+", "e") : String(few);
    },
    slid(share) {
      const rate = 10 ** (this.zones.low + share * (this.zones.high - this.zones.low));
      this.send(Number(rate.toPrecision(3)));
    },
    typed(text) {
      const rate = Number(text.replace(",", "."));
      if (rate > 0 && Number.isFinite(rate)) this.take(rate);
      else this.$forceUpdate();
    },
    take(rate) {
      this.send(rate);
      this.$emit("settle");
    },
    send(rate) {
      this.inner = rate;
      this.turns.send(rate);
    },
    // Zones, rate and whether it can be moved, as they are now.
    paint(now) {
      this.zones = now.zones;
      this.disabled = now.disabled;
      if (this.turns.flying === null) this.inner = now.rate;
    },
  },
};
