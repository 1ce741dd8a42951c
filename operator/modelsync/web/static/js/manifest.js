// From what a user pastes to a ModelSync, and its YAML.

const HUB = /^(?:hf:\/\/|https?:\/\/huggingface\.co\/)(?:(datasets)\/)?([\w.-]+\/[\w.-]+)(?:@([\w./-]+)|\/(?:tree|blob|resolve)\/([^/?#]+).*)?\/?(?:[?#].*)?$/;
const BUCKET = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/;
const SHORT = /^[\w.-]+\/[\w.-]+$/;

// The source in the words of the API; an Error says what would be understood.
export function sourceOf(address) {
  const text = address.trim();
  const hub = HUB.exec(SHORT.test(text) ? `hf://${text}` : text);
  if (hub) {
    const [, kind, repository, short, long] = hub;
    const revision = short || (long && decodeURIComponent(long));
    return {
      huggingFace: { repository, ...(kind ? { repositoryType: 'Dataset' } : {}), ...(revision && revision !== 'main' ? { revision } : {}) },
    };
  }
  const bucket = BUCKET.exec(text);
  if (bucket) return { s3: { bucket: bucket[1], ...(bucket[2] ? { prefix: bucket[2] } : {}) } };
  if (/^https?:\/\/\S+\/\S+$/.test(text)) return { http: { files: [{ url: text }] } };
  throw new Error('Paste a repository (org/name, hf://org/name@revision or its page), s3://bucket/prefix, or the https address of a file.');
}

export function nameOf(address) {
  const last = address.trim().replace(/[?#].*$/, '').replace(/@.*$/, '').replace(/\/(tree|blob|resolve)\/.*$/, '').replace(/\/+$/, '').split('/').pop();
  return (last || '').toLowerCase().replace(/[^a-z0-9-]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 52);
}

export function manifestOf(form) {
  const spec = { source: sourceOf(form.address) };
  spec.target = { persistentVolumeClaim: { claimName: form.claim.trim(), ...(form.subPath.trim() ? { subPath: form.subPath.trim() } : {}) } };
  if (form.queue.trim()) spec.queue = form.queue.trim();
  if (form.group.trim()) spec.group = form.group.trim();
  if (form.limit.trim()) spec.bandwidthLimit = form.limit.trim();
  if (Number(form.priority)) spec.priority = Number(form.priority);
  return { apiVersion: 'modelsync.dev/v1alpha1', kind: 'ModelSync', metadata: { name: form.name.trim() }, spec };
}

const PLAIN = /^[A-Za-z_/][\w./@-]*$/;
const WORD = /^(true|false|null|yes|no|on|off|y|n|~)$/i;
const scalar = (value) => (typeof value === 'number' || (PLAIN.test(value) && !WORD.test(value)) ? String(value) : JSON.stringify(value));

// Of objects, lists of objects, texts and numbers, which is all that a manifest of this form has.
export function yaml(value, indent = '') {
  return Object.entries(value).map(([name, each]) => {
    if (Array.isArray(each)) {
      return `${indent}${name}:\n${each.map((item) => yaml(item, `${indent}    `).replace(/^ {2}(\s*)/, '$1').replace(`${indent}    `, `${indent}  - `)).join('')}`;
    }
    if (typeof each === 'object') return `${indent}${name}:\n${yaml(each, `${indent}  `)}`;
    return `${indent}${name}: ${scalar(each)}\n`;
  }).join('');
}
