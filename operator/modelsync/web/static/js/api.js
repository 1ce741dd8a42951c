// Requests to the REST API. Every error is an Error with the problem details (RFC 9457) of the server in `problem`.

const BASE = 'api/v1';
// A script of another site may not set it, so the server takes it as the sign of its own page.
const OWN_PAGE = { 'X-Requested-With': 'modelsync' };

export class ApiError extends Error {
  constructor(problem) {
    super(problem.detail || problem.title || 'The request failed.');
    this.problem = problem;
  }
}

async function request(method, path, body, { once = false } = {}) {
  const options = { method, headers: { ...OWN_PAGE }, credentials: 'same-origin' };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers['Content-Type'] = 'application/json';
  }
  const answer = await answered(`${BASE}/${path}`, options, once ? 0 : 1);
  const text = await answer.text();
  const value = parsed(text);
  if (!answer.ok) throw new ApiError({ status: answer.status, title: answer.statusText, ...value });
  return value;
}

// A browser drops its requests when the network changes; what may not be done twice is sent once.
async function answered(url, options, again) {
  try {
    return await fetch(url, options);
  } catch {
    if (!again) {
      throw new ApiError({ status: 0, reason: 'Unreachable', detail: 'The server of this page does not answer.' });
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
    return answered(url, options, again - 1);
  }
}

function parsed(text) {
  try {
    return text ? JSON.parse(text) : {};
  } catch {
    return {};
  }
}

const segment = encodeURIComponent;
const at = (row) => `namespaces/${segment(row.namespace)}/modelsyncs/${segment(row.name)}`;

export const session = () => request('GET', 'session');
export const logIn = (token) => request('POST', 'session', { token });
export const logOut = () => request('DELETE', 'session');
export const getSync = (row) => request('GET', at(row));
export const getEvents = (row) => request('GET', `${at(row)}/events`);
export const getLog = (row) => request('GET', `${at(row)}/logs?lines=100`);
export const act = (row, verb) => request('POST', `${at(row)}/${verb}`);
export const setPriority = (row, priority) => request('PUT', `${at(row)}/priority`, { priority });
export const setLimit = (row, bandwidthLimit) => request('PUT', `${at(row)}/limit`, { bandwidthLimit });
export const retryFailed = () => request('POST', 'retry-failed', {});
export const create = (namespace, manifest, dryRun) =>
  request('POST', `namespaces/${segment(namespace)}/modelsyncs${dryRun ? '?dryRun=true' : ''}`, manifest, { once: !dryRun });
export const summary = () => request('GET', 'summary');
export const history = (span, key) => {
  const query = new URLSearchParams({ span, ...key });
  return request('GET', `history?${query}`);
};
