/* A stand-in for libsandbox: the same functions, no sandbox. What it does follows from the text it is given; every call that
 * makes or frees something is written to the file that the parameter STANDIN_LOG names. */

#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *builtin;
    const unsigned char *data;
    size_t size;
} profile;

#ifdef NARROW
/* As a library for 32-bit systems lays it out. */
typedef struct {
    uint32_t builtin, data, size;
} narrow;
#endif

typedef struct {
    char log[1024];
    char parameters[4096];
} table;

static char log_path[1024];

static void note(const char *what) {
    FILE *file = log_path[0] ? fopen(log_path, "a") : NULL;
    if (file) {
        fprintf(file, "%s\n", what);
        fclose(file);
    }
}

void *sandbox_create_params(void) { return calloc(1, sizeof(table)); }

int sandbox_set_param(void *params, const char *key, const char *value) {
    table *to = params;
    if (!strcmp(key, "STANDIN_LOG")) {
        snprintf(log_path, sizeof log_path, "%s", value);
        note("create_params");
        return 0;
    }
    if (!strcmp(key, "REFUSED")) return -1;
    size_t used = strlen(to->parameters);
    snprintf(to->parameters + used, sizeof to->parameters - used, "%s=%s;", key, value);
    return 0;
}

void sandbox_free_params(void *params) {
    note("free_params");
    free(params);
}

static char *say(const char *text) {
    note("make_error");
    return strdup(text);
}

static void put(profile *to, const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) return;
    free((void *)to->data);
    to->data = malloc(1 << 20);
    to->size = fread((void *)to->data, 1, 1 << 20, file);
    fclose(file);
}

/* The files that the parameters FIRST and SECOND name, one after the other: a library that is not deterministic. */
static void in_turn(profile *to, table *params) {
    static int call;
    const char *key = call++ % 2 ? "SECOND=" : "FIRST=";
    char *at = params ? strstr(params->parameters, key) : NULL;
    if (!at) return;
    char path[1024];
    snprintf(path, sizeof path, "%s", at + strlen(key));
    char *end = strchr(path, ';');
    if (end) *end = 0;
    put(to, path);
}

static profile *compile(const char *text, table *params, char **error) {
    if (strstr(text, "null")) return NULL;
    if (strstr(text, "unreadable error")) {
        *error = (char *)16;
        return NULL;
    }
    if (strstr(text, "long error")) {
        char *filler = malloc(20001);
        memset(filler, 'x', 20000);
        filler[20000] = 0;
        note("make_error");
        *error = filler;
        return NULL;
    }
    if (strstr(text, "error")) {
        *error = say("first line\nBacktrace:\n  (bad form)");
        return NULL;
    }
#ifdef NARROW
    narrow *small = calloc(1, sizeof *small);
    note("make_profile");
    small->data = 0x12345678;
    small->size = (uint32_t)strlen(text);
    return (profile *)small;
#endif
    if (strstr(text, "unreadable profile")) return (profile *)16;
    if (strstr(text, "both")) *error = say("not an error");
    profile *made = calloc(1, sizeof *made);
    note("make_profile");
    made->size = strlen(text);
    made->data = (const unsigned char *)strdup(text);
    if (strstr(text, "parameters")) {
        free((void *)made->data);
        made->data = (const unsigned char *)strdup(params ? params->parameters : "none");
        made->size = strlen((const char *)made->data);
    }
    if (strstr(text, "built in")) made->builtin = strdup("sample");
    if (strstr(text, "files in turn")) in_turn(made, params);
    if (strstr(text, "huge")) made->size = SIZE_MAX;
    if (strstr(text, "unreadable data")) {
        free((void *)made->data);
        made->data = (const unsigned char *)16;
    }
    if (strstr(text, "empty")) {
        free((void *)made->data);
        made->data = NULL;
        made->size = 0;
    }
    return made;
}

profile *sandbox_compile_string(const char *text, void *params, char **error) { return compile(text, params, error); }

profile *sandbox_compile_file(const char *path, void *params, char **error) {
    if (path[0] != '/') {
        *error = say("path is not absolute");
        return NULL;
    }
    char text[4096];
    FILE *file = fopen(path, "r");
    if (!file) {
        *error = say("cannot be opened");
        return NULL;
    }
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    return compile(text, params, error);
}

profile *sandbox_compile_named(const char *name, void *params, char **error) {
    if (!strcmp(name, "sample")) return compile("built in", params, error);
    if (strcmp(name, "bsd")) {
        *error = say("nothing: profile not found");
        return NULL;
    }
    return compile("the text of bsd", params, error);
}

void sandbox_free_profile(profile *made) {
    note("free_profile");
    free(made->builtin);
    free((void *)made->data);
    free(made);
}

#ifndef WITHOUT_FREE_ERROR
void sandbox_free_error(char *text) {
    note("free_error");
    free(text);
}
#endif
