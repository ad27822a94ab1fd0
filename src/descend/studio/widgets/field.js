// One setting: a label and the browser's own control. What is being typed is never overwritten from outside.
import { Turns } from "descend-drawing";

export default {
  props: {
    kind: String, label: String, value: [String, Number, Boolean], options: Array, help: String, disabled: Boolean,
    placeholder: String, step: [String, Number], min: [String, Number], max: [String, Number], hidden: Boolean,
  },
  template: `
    <div class="field" :class="[kind, { off: disabled }]" :data-help="help">
      <label :for="id" :class="{ 'visually-hidden': hidden }">{{ label }}</label>
      <select v-if="kind === 'select'" :id="id" :value="inner" :disabled="disabled" :aria-describedby="help ? id + '-help' : null"
              @change="changed($event.target.value)">
        <option v-for="one in options" :key="one.value" :value="one.value">{{ one.label }}</option>
      </select>
      <input v-else-if="kind === 'check'" :id="id" type="checkbox" role="switch" :checked="inner" :disabled="disabled"
             :aria-describedby="help ? id + '-help' : null" @change="changed($event.target.checked)">
      <input v-else-if="kind === 'range'" :id="id" type="range" :min="min" :max="max" :step="step" :value="inner" :disabled="disabled"
             :aria-describedby="help ? id + '-help' : null" @input="slid($event.target.value)" @change="changed($event.target.value)">
      <textarea v-else-if="kind === 'lines'" ref="lines" :id="id" rows="1" :value="inner" :disabled="disabled"
                autocomplete="off" autocapitalize="off" spellcheck="false" :placeholder="placeholder"
                :aria-describedby="help ? id + '-help' : null" @input="typing($event.target.value)"
                @keydown.enter="entered" @change="changed($event.target.value)"></textarea>
      <input v-else :id="id" type="text" :inputmode="kind === 'number' ? 'decimal' : null" :value="inner" :disabled="disabled"
             autocomplete="off" autocapitalize="off" spellcheck="false" :placeholder="placeholder"
             :aria-describedby="help ? id + '-help' : null"
             @input="typing($event.target.value)" @change="changed($event.target.value)">
      <output v-if="kind === 'range'" class="field-value">{{ shown }}</output>
      <span v-if="help" :id="id + '-help'" class="visually-hidden">{{ help }}</span>
    </div>`,
  data() {
    return { inner: this.value, id: `field-${Math.random().toString(36).slice(2)}` };
  },
  computed: {
    shown() {
      return Number(Number(this.inner).toPrecision(3));
    },
  },
  watch: {
    value(value) {
      this.inner = value;
    },
    inner() {
      this.$nextTick(() => this.grow());
    },
  },
  mounted() {
    if (this.kind === "lines") {
      this.watching = new ResizeObserver(() => this.grow());
      this.watching.observe(this.$el);
    }
    if (this.kind === "range") this.turns = new Turns((value, serial) => this.$emit("slid", { value, serial }));
  },
  beforeUnmount() {
    this.turns?.end();
    this.watching?.disconnect();
  },
  methods: {
    // As high as its text, which is one line without line breaks of its own.
    grow() {
      const lines = this.$refs.lines;
      if (!lines) return;
      lines.style.height = "auto";
      lines.style.height = `${lines.scrollHeight + lines.offsetHeight - lines.clientHeight}px`;
    },
    slid(value) {
      this.inner = value;
      this.turns.send(value);
    },
    typing(value) {
      this.inner = this.kind === "lines" ? value.replace(/\s*\n\s*/g, " ") : value;
      this.$emit("typing", this.inner);
    },
    // Enter ends the text; within a syllable that is being composed it ends only that.
    entered(event) {
      if (event.isComposing) return;
      event.preventDefault();
      this.changed(event.target.value);
    },
    changed(value) {
      this.inner = value;
      this.$emit("changed", value);
    },
  },
};
