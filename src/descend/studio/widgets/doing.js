// What is being done, how far it has come, and a way to stop it.
export default {
  props: { stop: String },
  template: `
    <div class="doing" role="status">
      <span>{{ now.text }}</span>
      <progress v-if="now.text" max="1" :value="now.share" :aria-label="now.text"></progress>
      <button v-if="now.stops" type="button" class="small" @click="$emit('stop')">{{ stop }}</button>
    </div>`,
  data() {
    return { now: { text: "", share: undefined, stops: false } };
  },
  methods: {
    // share: from 0 to 1, null where it is not known
    tell(text, share, stops) {
      this.now = { text, share: share ?? undefined, stops };
    },
  },
};
