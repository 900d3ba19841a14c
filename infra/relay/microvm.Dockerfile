# The relay as a MicroVM's program, built and started by AWS before it takes the snapshot. What lies beside this
# file in the zip is the relay's bundle (infra/deploy/snapshot.py).
FROM public.ecr.aws/lambda/microvms:al2023-minimal
RUN dnf install -y python3.13 && dnf clean all
COPY python /relay/python
ENV PYTHONPATH=/relay/python PYTHONUNBUFFERED=1
WORKDIR /relay
USER 65534
EXPOSE 8080 9000
CMD ["python3.13", "-m", "relay"]
