# cmake -DBUILD=<build folder> -P build.cmake: builds with as many jobs as there are processors. `cmake --build --parallel`
# without a number lets make start all of them at once, which memory does not bear where nvcc is among them.
cmake_host_system_information(RESULT processors QUERY NUMBER_OF_LOGICAL_CORES)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${BUILD} --parallel ${processors} RESULT_VARIABLE status)
if(NOT status EQUAL 0)
    message(FATAL_ERROR "The native build failed; see above.")
endif()
