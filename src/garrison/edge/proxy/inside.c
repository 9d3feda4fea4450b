/* Garrison's firewall inside Envoy: an HTTP filter that asks Python, in Envoy's own process, about each request.
 *
 * Envoy calls the `envoy_dynamic_module_on_` functions, and gives us the `envoy_dynamic_module_callback_` ones; their meaning is
 * that of Envoy's interface for dynamic modules, of the releases that building.py names. Everything is given by value or by
 * pointer and length; what Envoy lends is good until the hook returns, or until a header is set.
 *
 * One interpreter, whichever of Envoy's threads asks. What Python answers (embedded.py):
 *   None                               the request goes on
 *   (0, ((name, value), ...), mark)    it goes on, with these headers in place of the client's; with a mark that is not empty, what
 *                                      the application answers is told with it
 *   (status, ((name, value), ...), b)  this is the answer, in the application's place
 *   anything that can be called        the answer takes time: it is made in another thread, and handed in then
 * Whatever else happens is a failure, and the listener's fail mode decides. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#ifndef LIBPYTHON
#error "LIBPYTHON must be the path of the shared library of Python"
#endif

#define EXPORT __attribute__((visibility("default")))
#define INSPECTED 65536
#define OURS "x-garrison-"
#define MOST_HEADERS 256

/* ---- What Envoy gives ---- */

typedef struct {
  const char *at;
  size_t size;
} Bytes;

typedef struct {
  const char *name;
  size_t name_size;
  const char *value;
  size_t value_size;
} Header;

enum { REQUEST_HEADERS = 0, RESPONSE_HEADERS = 2 };
enum { BODY_RECEIVED = 0, BODY_BUFFERED = 1, RESPONSE_BODY_RECEIVED = 2 };
enum { REQUEST_PROTOCOL = 10, SOURCE_ADDRESS = 24 };
enum { HEADERS_GO_ON = 0, HEADERS_STOP = 1, HEADERS_STOP_ALL = 4 };
enum { DATA_GO_ON = 0, DATA_BUFFER = 1, DATA_HOLD = 2, DATA_DROP = 3 };
enum { TRAILERS_GO_ON = 0, TRAILERS_STOP = 1 };

extern size_t envoy_dynamic_module_callback_http_get_headers_size(void *stream, int kind);
extern bool envoy_dynamic_module_callback_http_get_headers(void *stream, int kind, Header *into);
extern bool envoy_dynamic_module_callback_http_set_header(void *stream, int kind, Bytes name, Bytes value);
extern bool envoy_dynamic_module_callback_http_filter_get_attribute_string(void *stream, int attribute, Bytes *into);
extern size_t envoy_dynamic_module_callback_http_get_body_size(void *stream, int kind);
extern size_t envoy_dynamic_module_callback_http_get_body_chunks_size(void *stream, int kind);
extern bool envoy_dynamic_module_callback_http_get_body_chunks(void *stream, int kind, Bytes *into);
extern bool envoy_dynamic_module_callback_http_received_buffered_request_body(void *stream);
extern void envoy_dynamic_module_callback_http_send_response(void *stream, uint32_t status, Header *headers, size_t count,
                                                             Bytes body, Bytes details);
extern void envoy_dynamic_module_callback_http_filter_continue_decoding(void *stream);
extern void *envoy_dynamic_module_callback_http_filter_scheduler_new(void *stream);
extern void envoy_dynamic_module_callback_http_filter_scheduler_commit(void *scheduler, uint64_t event);
extern void envoy_dynamic_module_callback_http_filter_scheduler_delete(void *scheduler);

/* ---- State ---- */

typedef struct {
  bool fail_open;
  bool fingerprinted;
} Settings;

typedef enum { ASKING, WAITING, PASSED, ANSWERED } Stage;

typedef struct {
  const Settings *settings;
  Stage stage;
  PyObject *ticket; /* of the answer that is waited for */
  PyObject *mark;   /* what the application's answer is told with, if at all */
  PyObject *headers;
  char *body;
  size_t size;
} Request;

/* An answer that another thread makes. It outlives the request where that ends first. */
typedef struct {
  void *scheduler;
  PyObject *answer;
} Ticket;

static PyInterpreterState *interpreter;
static PyObject *inside, *decide, *later, *observe;
static int users;
static __thread PyThreadState *mine;

/* ---- Python ---- */

static void enter(void) {
  if (mine == NULL) {
    mine = PyThreadState_New(interpreter); /* made once for each of Envoy's threads, which live as long as Envoy */
  }
  PyEval_RestoreThread(mine);
}

static void leave(void) { PyEval_SaveThread(); }

static void give_up(const char *why) {
  if (PyErr_Occurred()) {
    PyErr_Print();
  }
  fprintf(stderr, "garrison: the firewall cannot start inside Envoy: %s\n", why);
  fflush(stderr);
  _exit(70); /* without it no request may pass: the supervisor starts us again */
}

static void start(void) {
  const char *program = getenv("GARRISON_INSIDE_PYTHON");
  const char *state = getenv("GARRISON_INSIDE_STATE");
  if (program == NULL || state == NULL) {
    give_up("it was not started by `garrison protect`");
  }
  /* Extension modules find Python's functions among those of the whole process. */
  if (dlopen(LIBPYTHON, RTLD_NOW | RTLD_GLOBAL) == NULL) {
    give_up(dlerror());
  }
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  config.install_signal_handlers = 0; /* signals are Envoy's */
  config.parse_argv = 0;
  PyStatus status = PyConfig_SetBytesString(&config, &config.executable, program);
  if (!PyStatus_Exception(status)) {
    status = PyConfig_SetBytesString(&config, &config.program_name, program);
  }
  if (!PyStatus_Exception(status)) {
    status = Py_InitializeFromConfig(&config);
  }
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status)) {
    give_up(status.err_msg ? status.err_msg : "Python does not start");
  }
  interpreter = PyInterpreterState_Get();
  PyObject *module = PyImport_ImportModule("garrison.cli.inside");
  inside = module ? PyObject_CallMethod(module, "begin", "i", atoi(state)) : NULL;
  decide = inside ? PyObject_GetAttrString(inside, "decide") : NULL;
  later = decide ? PyObject_GetAttrString(inside, "later") : NULL;
  observe = later ? PyObject_GetAttrString(inside, "observe") : NULL;
  if (observe == NULL) {
    give_up("the reason is above");
  }
  Py_DECREF(module);
  mine = PyEval_SaveThread();
}

static void stop(void) {
  enter();
  PyObject *found = PyObject_CallMethod(inside, "end", NULL);
  if (found == NULL) {
    PyErr_Print();
  }
  Py_XDECREF(found);
  leave();
}

/* ---- Answers ---- */

static void set_header(void *stream, Bytes name, Bytes value) {
  envoy_dynamic_module_callback_http_set_header(stream, REQUEST_HEADERS, name, value);
}

static bool bytes_of(PyObject *object, Bytes *into) {
  char *at;
  Py_ssize_t size;
  if (object == NULL || PyBytes_AsStringAndSize(object, &at, &size) < 0) {
    return false;
  }
  into->at = at;
  into->size = (size_t)size;
  return true;
}

static bool pair_of(PyObject *pair, Bytes *name, Bytes *value) {
  return PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2 && bytes_of(PyTuple_GET_ITEM(pair, 0), name) &&
         bytes_of(PyTuple_GET_ITEM(pair, 1), value);
}

static Stage failed(void *stream, const Request *request) {
  if (PyErr_Occurred()) {
    PyErr_Print();
  }
  if (request->settings->fail_open) {
    return PASSED;
  }
  envoy_dynamic_module_callback_http_send_response(stream, 500, NULL, 0, (Bytes){"", 0}, (Bytes){"garrison", 8});
  return ANSWERED;
}

static Stage answered(void *stream, const Request *request, long status, PyObject *headers, Bytes body) {
  Header list[MOST_HEADERS];
  Py_ssize_t count = PyTuple_GET_SIZE(headers);
  if (count > MOST_HEADERS) {
    return failed(stream, request);
  }
  for (Py_ssize_t each = 0; each < count; each++) {
    Bytes name, value;
    if (!pair_of(PyTuple_GET_ITEM(headers, each), &name, &value)) {
      return failed(stream, request);
    }
    list[each] = (Header){name.at, name.size, value.at, value.size};
  }
  envoy_dynamic_module_callback_http_send_response(stream, (uint32_t)status, list, (size_t)count, body, (Bytes){"garrison", 8});
  return ANSWERED;
}

static Stage inserted(void *stream, Request *request, PyObject *headers, PyObject *mark) {
  for (Py_ssize_t each = 0; each < PyTuple_GET_SIZE(headers); each++) {
    Bytes name, value;
    if (!pair_of(PyTuple_GET_ITEM(headers, each), &name, &value)) {
      return failed(stream, request);
    }
    set_header(stream, name, value);
  }
  if (PyBytes_GET_SIZE(mark) > 0) {
    request->mark = Py_NewRef(mark);
  }
  return PASSED;
}

/* What becomes of the request. Python is entered; `answer` stays the caller's. */
static Stage take(void *stream, Request *request, PyObject *answer) {
  if (answer == Py_None) {
    return PASSED;
  }
  Bytes body;
  if (answer == NULL || !PyTuple_Check(answer) || PyTuple_GET_SIZE(answer) != 3 || !PyTuple_Check(PyTuple_GET_ITEM(answer, 1)) ||
      !bytes_of(PyTuple_GET_ITEM(answer, 2), &body)) {
    return failed(stream, request);
  }
  long status = PyLong_AsLong(PyTuple_GET_ITEM(answer, 0));
  if (status == 0 && !PyErr_Occurred()) {
    return inserted(stream, request, PyTuple_GET_ITEM(answer, 1), PyTuple_GET_ITEM(answer, 2));
  }
  if (status < 200 || status > 599) {
    return failed(stream, request);
  }
  return answered(stream, request, status, PyTuple_GET_ITEM(answer, 1), body);
}

/* ---- Answers that take time ---- */

static void forget(PyObject *capsule) {
  Ticket *ticket = PyCapsule_GetPointer(capsule, NULL);
  envoy_dynamic_module_callback_http_filter_scheduler_delete(ticket->scheduler);
  Py_XDECREF(ticket->answer);
  free(ticket);
}

static PyObject *done(PyObject *capsule, PyObject *answer) {
  Ticket *ticket = PyCapsule_GetPointer(capsule, NULL);
  if (ticket == NULL) {
    return NULL;
  }
  if (ticket->answer == NULL) {
    ticket->answer = Py_NewRef(answer);
    envoy_dynamic_module_callback_http_filter_scheduler_commit(ticket->scheduler, 1);
  }
  Py_RETURN_NONE;
}

static PyMethodDef DONE = {"done", done, METH_O, "Hand in the answer."};

static PyObject *new_ticket(void *stream) {
  Ticket *ticket = calloc(1, sizeof *ticket);
  if (ticket == NULL) {
    return PyErr_NoMemory();
  }
  ticket->scheduler = envoy_dynamic_module_callback_http_filter_scheduler_new(stream);
  PyObject *capsule = PyCapsule_New(ticket, NULL, forget);
  if (capsule == NULL) {
    envoy_dynamic_module_callback_http_filter_scheduler_delete(ticket->scheduler);
    free(ticket);
  }
  return capsule;
}

static Stage wait_for(void *stream, Request *request, PyObject *work) {
  PyObject *ticket = new_ticket(stream);
  PyObject *call = ticket ? PyCFunction_New(&DONE, ticket) : NULL;
  PyObject *begun = call ? PyObject_CallFunctionObjArgs(later, work, call, NULL) : NULL;
  Py_XDECREF(call);
  if (begun == NULL) {
    Py_XDECREF(ticket);
    return failed(stream, request);
  }
  Py_DECREF(begun);
  request->ticket = ticket;
  return WAITING;
}

/* ---- Questions ---- */

static bool is_ours(const Header *header) {
  return header->name_size >= sizeof OURS - 1 && memcmp(header->name, OURS, sizeof OURS - 1) == 0;
}

static bool is(const Header *header, const char *name) {
  return header->name_size == strlen(name) && memcmp(header->name, name, header->name_size) == 0;
}

static PyObject *pairs_of(const Header *headers, size_t count) {
  PyObject *found = PyList_New((Py_ssize_t)count);
  for (size_t each = 0; found != NULL && each < count; each++) {
    PyObject *pair = PyTuple_New(2);
    PyObject *name = PyBytes_FromStringAndSize(headers[each].name, (Py_ssize_t)headers[each].name_size);
    PyObject *value = PyBytes_FromStringAndSize(headers[each].value, (Py_ssize_t)headers[each].value_size);
    if (pair == NULL || name == NULL || value == NULL) {
      Py_XDECREF(pair);
      Py_XDECREF(name);
      Py_XDECREF(value);
      Py_CLEAR(found);
      break;
    }
    PyTuple_SET_ITEM(pair, 0, name);
    PyTuple_SET_ITEM(pair, 1, value);
    PyList_SET_ITEM(found, (Py_ssize_t)each, pair);
  }
  return found;
}

static size_t copy_body(void *stream, int kind, char *into, size_t room) {
  size_t count = envoy_dynamic_module_callback_http_get_body_chunks_size(stream, kind);
  if (count == 0 || room == 0) {
    return 0;
  }
  Bytes *chunks = calloc(count, sizeof *chunks);
  size_t copied = 0;
  if (chunks != NULL && envoy_dynamic_module_callback_http_get_body_chunks(stream, kind, chunks)) {
    for (size_t each = 0; each < count && copied < room; each++) {
      size_t size = chunks[each].size < room - copied ? chunks[each].size : room - copied;
      memcpy(into + copied, chunks[each].at, size);
      copied += size;
    }
  }
  free(chunks);
  return copied;
}

/* The first bytes of the body that is here: what waits, then what has just come. */
static PyObject *body_of(void *stream, bool with_received) {
  bool waits = !with_received || !envoy_dynamic_module_callback_http_received_buffered_request_body(stream);
  size_t size = waits ? envoy_dynamic_module_callback_http_get_body_size(stream, BODY_BUFFERED) : 0;
  size += with_received ? envoy_dynamic_module_callback_http_get_body_size(stream, BODY_RECEIVED) : 0;
  size = size < INSPECTED ? size : INSPECTED;
  PyObject *found = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
  if (found == NULL) {
    return NULL;
  }
  char *into = PyBytes_AS_STRING(found);
  size_t copied = waits ? copy_body(stream, BODY_BUFFERED, into, size) : 0;
  copied += with_received ? copy_body(stream, BODY_RECEIVED, into + copied, size - copied) : 0;
  if (copied != size) {
    Py_DECREF(found);
    PyErr_SetString(PyExc_RuntimeError, "Envoy does not give a body");
    return NULL;
  }
  return found;
}

static PyObject *text_of(void *stream, int attribute) {
  Bytes found = {NULL, 0};
  if (!envoy_dynamic_module_callback_http_filter_get_attribute_string(stream, attribute, &found)) {
    found.size = 0;
  }
  return PyBytes_FromStringAndSize(found.at, (Py_ssize_t)(found.at ? found.size : 0));
}

/* Remove what came in our name. Its names are copied, as to set a header ends what Envoy lends. */
static void remove_ours(void *stream, const Header *headers, size_t count) {
  size_t size = 0;
  for (size_t each = 0; each < count; each++) {
    size += is_ours(&headers[each]) ? headers[each].name_size : 0;
  }
  if (size == 0) {
    return;
  }
  char *names = malloc(size);
  size_t *sizes = calloc(count, sizeof *sizes);
  if (names == NULL || sizes == NULL) {
    give_up("there is no memory");
  }
  size_t found = 0, at = 0;
  for (size_t each = 0; each < count; each++) {
    if (is_ours(&headers[each])) {
      memcpy(names + at, headers[each].name, headers[each].name_size);
      sizes[found] = headers[each].name_size;
      at += sizes[found++];
    }
  }
  at = 0;
  for (size_t each = 0; each < found; at += sizes[each++]) {
    set_header(stream, (Bytes){names + at, sizes[each]}, (Bytes){NULL, 0});
  }
  free(sizes);
  free(names);
}

/* Ask with all that is here of the request. `partial`: more of its body follows. */
static PyObject *ask(void *stream, const Request *request, bool with_received, bool partial) {
  size_t count = envoy_dynamic_module_callback_http_get_headers_size(stream, REQUEST_HEADERS);
  Header *headers = calloc(count + 1, sizeof *headers);
  if (headers == NULL || !envoy_dynamic_module_callback_http_get_headers(stream, REQUEST_HEADERS, headers)) {
    free(headers);
    PyErr_SetString(PyExc_RuntimeError, "Envoy does not give the headers");
    return NULL;
  }
  Bytes prints[2] = {{"", 0}, {"", 0}};
  for (size_t each = 0; request->settings->fingerprinted && each < count; each++) {
    for (int which = 0; which < 2; which++) {
      if (is(&headers[each], which == 0 ? OURS "ja3" : OURS "ja4")) {
        prints[which] = (Bytes){headers[each].value, headers[each].value_size};
      }
    }
  }
  PyObject *arguments[7] = {
      pairs_of(headers, count),
      body_of(stream, with_received),
      PyBool_FromLong(partial),
      text_of(stream, REQUEST_PROTOCOL),
      text_of(stream, SOURCE_ADDRESS),
      PyBytes_FromStringAndSize(prints[0].at, (Py_ssize_t)prints[0].size),
      PyBytes_FromStringAndSize(prints[1].at, (Py_ssize_t)prints[1].size),
  };
  remove_ours(stream, headers, count);
  free(headers);
  bool whole = true;
  for (int each = 0; each < 7; each++) {
    whole = whole && arguments[each] != NULL;
  }
  PyObject *answer = whole ? PyObject_Vectorcall(decide, arguments, 7, NULL) : NULL;
  for (int each = 0; each < 7; each++) {
    Py_XDECREF(arguments[each]);
  }
  return answer;
}

/* The application's answer is here, or as much of it as counts. */
static void tell(Request *request) {
  enter();
  PyObject *body = PyBytes_FromStringAndSize(request->body, (Py_ssize_t)request->size);
  PyObject *told = body ? PyObject_CallFunctionObjArgs(observe, request->mark, request->headers, body, NULL) : NULL;
  if (told == NULL) {
    PyErr_Print();
  }
  Py_XDECREF(told);
  Py_XDECREF(body);
  Py_CLEAR(request->mark);
  Py_CLEAR(request->headers);
  leave();
  free(request->body);
  request->body = NULL;
}

/* An answer in the application's place waits until Envoy has read the request to its end: given within the hook, Envoy takes it
 * for one that came early, and keeps a connection that is to be closed open for a second. */
static Stage soon(void *stream, Request *request, PyObject *answer) {
  PyObject *capsule = new_ticket(stream);
  if (capsule == NULL) {
    return failed(stream, request);
  }
  request->ticket = capsule;
  Ticket *ticket = PyCapsule_GetPointer(capsule, NULL);
  ticket->answer = Py_NewRef(answer);
  envoy_dynamic_module_callback_http_filter_scheduler_commit(ticket->scheduler, 1);
  return WAITING;
}

static bool goes_on(PyObject *answer) {
  if (answer == Py_None) {
    return true;
  }
  PyObject *status = PyTuple_Check(answer) && PyTuple_GET_SIZE(answer) == 3 ? PyTuple_GET_ITEM(answer, 0) : NULL;
  return status != NULL && PyLong_Check(status) && PyLong_AsLong(status) == 0;
}

static Stage judge(void *stream, Request *request, bool with_received, bool partial) {
  enter();
  PyObject *answer = ask(stream, request, with_received, partial);
  if (answer == NULL) {
    request->stage = failed(stream, request);
  } else if (PyCallable_Check(answer)) {
    request->stage = wait_for(stream, request, answer);
  } else {
    request->stage = goes_on(answer) ? take(stream, request, answer) : soon(stream, request, answer);
  }
  Py_XDECREF(answer);
  leave();
  return request->stage;
}

static bool has_word(const char *text, size_t size, const char *word) {
  size_t length = strlen(word);
  for (size_t at = 0; at < size;) {
    size_t end = at;
    while (end < size && text[end] != ',') {
      end++;
    }
    size_t first = at, last = end;
    while (first < last && (text[first] == ' ' || text[first] == '\t')) {
      first++;
    }
    while (last > first && (text[last - 1] == ' ' || text[last - 1] == '\t')) {
      last--;
    }
    if (last - first == length && strncasecmp(text + first, word, length) == 0) {
      return true;
    }
    at = end + 1;
  }
  return false;
}

/* Whether what follows the request's head is no body: it opens a WebSocket, for which Envoy asks for the same two headers, or a
 * tunnel, for which Envoy has no route. */
static bool opens_tunnel(void *stream) {
  size_t count = envoy_dynamic_module_callback_http_get_headers_size(stream, REQUEST_HEADERS);
  Header *headers = calloc(count + 1, sizeof *headers);
  bool connect = false, upgrade = false, websocket = false;
  if (headers != NULL && envoy_dynamic_module_callback_http_get_headers(stream, REQUEST_HEADERS, headers)) {
    for (size_t each = 0; each < count; each++) {
      if (is(&headers[each], "connection")) {
        upgrade = has_word(headers[each].value, headers[each].value_size, "upgrade");
      } else if (is(&headers[each], ":method")) {
        connect = headers[each].value_size == 7 && memcmp(headers[each].value, "CONNECT", 7) == 0;
      } else if (is(&headers[each], "upgrade")) {
        websocket = headers[each].value_size == 9 && strncasecmp(headers[each].value, "websocket", 9) == 0;
      }
    }
  }
  free(headers);
  return connect || (upgrade && websocket);
}

/* ---- What Envoy calls ---- */

EXPORT const char *envoy_dynamic_module_on_program_init(void) { return "v0.2.0"; }

EXPORT const void *envoy_dynamic_module_on_http_filter_config_new(void *envoys, Bytes name, Bytes config) {
  (void)envoys;
  (void)name;
  Settings *settings = calloc(1, sizeof *settings);
  if (settings == NULL) {
    return NULL;
  }
  settings->fail_open = has_word(config.at, config.size, "open");
  settings->fingerprinted = has_word(config.at, config.size, "fingerprinted");
  if (inside == NULL) {
    start();
  }
  users++;
  return settings;
}

EXPORT void envoy_dynamic_module_on_http_filter_config_destroy(const void *settings) {
  if (settings == NULL) {
    return;
  }
  free((void *)settings);
  if (--users == 0) {
    stop();
  }
}

EXPORT const void *envoy_dynamic_module_on_http_filter_new(const void *settings, void *stream) {
  (void)stream;
  Request *request = calloc(1, sizeof *request);
  if (request != NULL) {
    request->settings = settings;
  }
  return request;
}

EXPORT void envoy_dynamic_module_on_http_filter_destroy(const void *module) {
  Request *request = (Request *)module;
  if (request->ticket != NULL || request->mark != NULL) {
    enter();
    Py_CLEAR(request->ticket);
    Py_CLEAR(request->mark);
    Py_CLEAR(request->headers);
    leave();
  }
  free(request->body);
  free(request);
}

EXPORT int envoy_dynamic_module_on_http_filter_request_headers(void *stream, const void *module, bool last) {
  Request *request = (Request *)module;
  if (!last && !opens_tunnel(stream)) {
    return HEADERS_STOP; /* until its body is here */
  }
  switch (judge(stream, request, false, false)) {
  case PASSED:
    return HEADERS_GO_ON;
  case WAITING:
    return HEADERS_STOP_ALL;
  default:
    return HEADERS_STOP;
  }
}

EXPORT int envoy_dynamic_module_on_http_filter_request_body(void *stream, const void *module, bool last) {
  Request *request = (Request *)module;
  if (request->stage == PASSED) {
    return DATA_GO_ON;
  }
  if (request->stage == ANSWERED) {
    return DATA_DROP;
  }
  if (request->stage == WAITING) {
    return DATA_HOLD;
  }
  size_t size = envoy_dynamic_module_callback_http_get_body_size(stream, BODY_RECEIVED);
  if (!envoy_dynamic_module_callback_http_received_buffered_request_body(stream)) {
    size += envoy_dynamic_module_callback_http_get_body_size(stream, BODY_BUFFERED);
  }
  if (!last && size < INSPECTED) {
    return DATA_BUFFER;
  }
  switch (judge(stream, request, true, !last || size > INSPECTED)) {
  case PASSED:
    return DATA_GO_ON;
  case WAITING:
    return DATA_HOLD;
  default:
    return DATA_DROP;
  }
}

EXPORT int envoy_dynamic_module_on_http_filter_request_trailers(void *stream, const void *module) {
  Request *request = (Request *)module;
  Stage stage = request->stage == ASKING ? judge(stream, request, false, false) : request->stage;
  return stage == PASSED ? TRAILERS_GO_ON : TRAILERS_STOP;
}

EXPORT void envoy_dynamic_module_on_http_filter_scheduled(void *stream, const void *module, uint64_t event) {
  (void)event;
  Request *request = (Request *)module;
  if (request->stage != WAITING) {
    return;
  }
  enter();
  Ticket *ticket = PyCapsule_GetPointer(request->ticket, NULL);
  request->stage = take(stream, request, ticket ? ticket->answer : NULL);
  leave();
  if (request->stage == PASSED) {
    envoy_dynamic_module_callback_http_filter_continue_decoding(stream);
  }
}

EXPORT int envoy_dynamic_module_on_http_filter_response_headers(void *stream, const void *module, bool last) {
  Request *request = (Request *)module;
  if (request->mark == NULL) {
    return HEADERS_GO_ON;
  }
  size_t count = envoy_dynamic_module_callback_http_get_headers_size(stream, RESPONSE_HEADERS);
  Header *headers = calloc(count + 1, sizeof *headers);
  request->body = malloc(INSPECTED);
  if (headers == NULL || request->body == NULL) {
    give_up("there is no memory");
  }
  bool given = envoy_dynamic_module_callback_http_get_headers(stream, RESPONSE_HEADERS, headers);
  enter();
  request->headers = pairs_of(headers, given ? count : 0);
  if (request->headers == NULL) {
    PyErr_Print();
    Py_CLEAR(request->mark);
  }
  leave();
  free(headers);
  if (last && request->mark != NULL) {
    tell(request);
  }
  return HEADERS_GO_ON;
}

EXPORT int envoy_dynamic_module_on_http_filter_response_body(void *stream, const void *module, bool last) {
  Request *request = (Request *)module;
  if (request->headers == NULL) {
    return DATA_GO_ON;
  }
  request->size += copy_body(stream, RESPONSE_BODY_RECEIVED, request->body + request->size, INSPECTED - request->size);
  if (last || request->size == INSPECTED) {
    tell(request);
  }
  return DATA_GO_ON;
}

EXPORT int envoy_dynamic_module_on_http_filter_response_trailers(void *stream, const void *module) {
  (void)stream;
  Request *request = (Request *)module;
  if (request->headers != NULL) {
    tell(request);
  }
  return TRAILERS_GO_ON;
}

EXPORT int envoy_dynamic_module_on_http_filter_local_reply(void *stream, const void *module, uint32_t status, Bytes details,
                                                           bool reset) {
  (void)stream, (void)module, (void)status, (void)details, (void)reset;
  return 0; /* Envoy answers as it meant to */
}

/* Envoy asks for all of these, and calls none that we did not ask for. Their arguments are of no interest. */
#define NOTHING(name)                                                                                                            \
  EXPORT void envoy_dynamic_module_on_http_filter_##name(void) {}

NOTHING(stream_complete)
NOTHING(config_scheduled)
NOTHING(config_http_callout_done)
NOTHING(config_http_stream_headers)
NOTHING(config_http_stream_data)
NOTHING(config_http_stream_trailers)
NOTHING(config_http_stream_complete)
NOTHING(config_http_stream_reset)
NOTHING(http_callout_done)
NOTHING(http_stream_headers)
NOTHING(http_stream_data)
NOTHING(http_stream_trailers)
NOTHING(http_stream_complete)
NOTHING(http_stream_reset)
NOTHING(downstream_above_write_buffer_high_watermark)
NOTHING(downstream_below_write_buffer_low_watermark)
NOTHING(per_route_config_destroy)

EXPORT const void *envoy_dynamic_module_on_http_filter_per_route_config_new(Bytes name, Bytes config) {
  (void)name, (void)config;
  return NULL; /* no route has settings of its own */
}
