// A table from the person's own disk: chosen, or dropped anywhere on the page; sent as it is, with its progress.
export default {
  props: { target: String, labels: Object },
  template: `
    <div class="drop" :class="{ over }">
      <label class="button primary" :for="id" :title="labels.hint">{{ labels.choose }}</label>
      <input :id="id" class="visually-hidden" type="file" @change="chosen($event.target)">
      <progress v-if="share !== null" max="1" :value="share" :aria-label="labels.sending"></progress>
    </div>`,
  data() {
    return { over: false, share: null, id: `drop-${Math.random().toString(36).slice(2)}` };
  },
  mounted() {
    let depth = 0;
    const files = (event) => event.dataTransfer?.types.includes("Files");
    this.listeners = {
      dragenter: (event) => files(event) && (event.preventDefault(), depth++, (this.over = true)),
      dragover: (event) => files(event) && event.preventDefault(),
      dragleave: (event) => files(event) && --depth <= 0 && (this.over = false),
      drop: (event) => {
        if (!files(event)) return;
        event.preventDefault();
        depth = 0;
        this.over = false;
        if (event.dataTransfer.files.length) this.send(event.dataTransfer.files[0]);
      },
    };
    for (const [name, listener] of Object.entries(this.listeners)) window.addEventListener(name, listener);
  },
  beforeUnmount() {
    for (const [name, listener] of Object.entries(this.listeners)) window.removeEventListener(name, listener);
  },
  methods: {
    chosen(input) {
      if (input.files.length) this.send(input.files[0]);
      input.value = "";
    },
    send(file) {
      this.request?.abort();
      const request = (this.request = new XMLHttpRequest());
      this.share = 0;
      request.upload.onprogress = (event) => (this.share = event.lengthComputable ? event.loaded / event.total : null);
      request.onloadend = () => (this.share = null);
      request.open("POST", this.target);
      request.setRequestHeader("X-File-Name", encodeURIComponent(file.name));
      request.send(file);
    },
  },
};
