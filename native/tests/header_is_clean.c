/* velu.h is plain C11, may be included twice, and is complete for a C caller. */
#include <velu/velu.h>

#include <stdio.h>
#include <string.h>

static int failures = 0;

static void check(int condition, const char* what) {
    if (!condition) {
        fprintf(stderr, "FAIL %s\n", what);
        ++failures;
    }
}

static void libraryHasTheVersionOfTheHeader(void) {
    check(velu_abi_version() == VELU_ABI_VERSION, "velu_abi_version() is VELU_ABI_VERSION");
    check(strlen(velu_version()) > 0, "velu_version() is not empty");
}

static void everyStatusHasAName(void) {
    for (velu_status status = VELU_STATUS_SUCCESS; status <= VELU_STATUS_INTERNAL; ++status) {
        check(strcmp(velu_status_name(status), velu_status_name(-1)) != 0, "a status has a name of its own");
    }
}

static void layoutAgreesWithThisCompiler(void) {
    int seen = 0;
    const velu_layout_entry* entry = NULL;
    for (int64_t i = 0; (entry = velu_layout(i)) != NULL; ++i) {
        if (strcmp(entry->type, "velu_conv2d_desc") != 0) continue;
        if (strcmp(entry->field, "") == 0) check(entry->size == (int64_t)sizeof(velu_conv2d_desc), "sizeof conv2d");
        if (strcmp(entry->field, "groups") == 0) {
            check(entry->offset == (int64_t)offsetof(velu_conv2d_desc, groups), "offsetof groups");
            check(entry->size == 4, "sizeof groups");
        }
        ++seen;
    }
    check(seen == 19, "velu_layout() lists velu_conv2d_desc and its 18 fields");
    check(velu_layout(-1) == NULL, "velu_layout(-1) is NULL");
}

static void cCallerAddsTwoVectors(void) {
    const velu_context_desc context_desc = {VELU_DEVICE_CPU, 0, 1, VELU_ISA_AUTO, 0, 0};
    velu_context* context = NULL;
    char message[512] = "";
    check(velu_context_create(&context_desc, &context, message, sizeof message) == VELU_STATUS_SUCCESS, message);
    if (context == NULL) return;
    const velu_add_desc desc = {VELU_DEVICE_CPU, VELU_DTYPE_F32, 3};
    const float a[3] = {1, 2, 3};
    const float b[3] = {10, 20, 30};
    float y[3] = {0, 0, 0};
    check(velu_add_forward(context, &desc, a, b, y) == VELU_STATUS_SUCCESS, velu_context_last_error(context));
    check(y[0] == 11 && y[1] == 22 && y[2] == 33, "y = a + b");
    check(velu_context_destroy(context) == VELU_STATUS_SUCCESS, "context is destroyed");
}

int main(void) {
    libraryHasTheVersionOfTheHeader();
    everyStatusHasAName();
    layoutAgreesWithThisCompiler();
    cCallerAddsTwoVectors();
    return failures == 0 ? 0 : 1;
}
