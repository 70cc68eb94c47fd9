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

void sandbox_free_profile(profile *made) {
    note("free_profile");
    free((void *)made->data);
    free(made);
}

#ifndef WITHOUT_FREE_ERROR
void sandbox_free_error(char *text) {
    note("free_error");
    free(text);
}
#endif
